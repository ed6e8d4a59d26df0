import type { UsageRecorder } from '../recording/usage-recorder.js'
import { isGoogleGenAiClient, trackGoogleGenAiClient } from './track-google-genai.js'
import { isOllamaClient, trackOllamaClient } from './track-ollama.js'
import { isStainlessClient, trackStainlessClient } from './track-stainless.js'

const supported =
  'openai, @anthropic-ai/sdk, ollama, @google/genai, groq-sdk, together-ai and @cerebras/cerebras_cloud_sdk'

/**
 * A client of the same class and settings whose calls are recorded; the one given stays as it is. A client that is not
 * known is returned itself, with one error line.
 */
export function trackClient<T extends object>(client: T, recorder: UsageRecorder): T {
  try {
    const tracked = trackKnownClient(client, recorder)
    if (tracked) return tracked as T
    report(recorder, nameOf(client), 'is not known to it')
  } catch {
    report(recorder, nameOf(client), 'could not be set up again with another fetch')
  }
  return client
}

function trackKnownClient(client: object, recorder: UsageRecorder): object | undefined {
  if (isGoogleGenAiClient(client)) return trackGoogleGenAiClient(client, recorder)
  if (isOllamaClient(client)) return trackOllamaClient(client, recorder)
  return isStainlessClient(client) ? trackStainlessClient(client, recorder) : undefined
}

function nameOf(client: unknown): string {
  const name: unknown = (client as object | null | undefined)?.constructor?.name
  return typeof name === 'string' && name !== '' ? name.slice(0, 64) : typeof client
}

function report(recorder: UsageRecorder, name: string, problem: string): void {
  recorder.diagnostics.error(
    { client: name },
    `track() does not record this client: ${name} ${problem}. It supports the clients of ${supported}; give any other client usage.fetch as its fetch`,
  )
}

import type { UsageRecorder } from '../recording/usage-recorder.js'
import { createCapturingFetch } from './capturing-fetch.js'

/** The clients that Stainless generates: openai with Azure, @anthropic-ai/sdk. */
type ConfigurableClient = {
  readonly fetch: typeof fetch
  withOptions(options: object): object
  readonly apiVersion?: unknown
  readonly deploymentName?: unknown
}

type OllamaClient = { readonly config: object; readonly fetch: typeof fetch; chat(request: object): unknown }

/**
 * A client of the same class and settings whose calls are recorded; the one given stays as it is. A client that is not
 * known is returned itself, with one error line.
 */
export function trackClient<T extends object>(client: T, recorder: UsageRecorder): T {
  try {
    if (isConfigurable(client)) return configure(client, recorder) as T
    if (isOllama(client)) return copyOllama(client, recorder) as T
    report(recorder, nameOf(client), 'is not known to it')
  } catch {
    report(recorder, nameOf(client), 'could not be set up again with another fetch')
  }
  return client
}

function isConfigurable(client: object): client is ConfigurableClient {
  return 'withOptions' in client && typeof client.withOptions === 'function' && hasFetch(client)
}

function configure(client: ConfigurableClient, recorder: UsageRecorder): object {
  const { apiVersion, deploymentName } = client
  const capturingFetch = createCapturingFetch(recorder, client.fetch)
  // AzureOpenAI hands all but these two on to its copy.
  const azure = apiVersion === undefined ? {} : { apiVersion, deployment: deploymentName }
  const tracked = client.withOptions({ ...azure, fetch: capturingFetch })
  if (!hasFetch(tracked) || tracked.fetch !== capturingFetch) throw new Error('the fetch option has no effect')
  return tracked
}

function isOllama(client: object): client is OllamaClient {
  return hasFetch(client) && 'config' in client && 'chat' in client && typeof client.chat === 'function'
}

// Ollama has no withOptions(). A copy with its own list of running streams keeps abort() to the copy's own calls.
function copyOllama(client: OllamaClient, recorder: UsageRecorder): object {
  const copy = Object.assign(Object.create(Object.getPrototypeOf(client)), client)
  return Object.assign(copy, { fetch: createCapturingFetch(recorder, client.fetch), ongoingStreamedRequests: [] })
}

function hasFetch(client: object): client is { readonly fetch: typeof fetch } {
  return 'fetch' in client && typeof client.fetch === 'function'
}

function nameOf(client: unknown): string {
  const name: unknown = (client as object | null | undefined)?.constructor?.name
  return typeof name === 'string' && name !== '' ? name.slice(0, 64) : typeof client
}

function report(recorder: UsageRecorder, name: string, problem: string): void {
  recorder.diagnostics.error(
    { client: name },
    `track() does not record this client: ${name} ${problem}. It supports the clients of openai, @anthropic-ai/sdk and ollama; give any other client usage.fetch as its fetch`,
  )
}

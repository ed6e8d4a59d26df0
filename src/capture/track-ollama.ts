import type { UsageRecorder } from '../recording/usage-recorder.js'
import { createCapturingFetch } from './capturing-fetch.js'

/** The part of ollama's client that a copy is made by. */
export type OllamaClient = { readonly config: object; readonly fetch: typeof fetch; chat(request: object): unknown }

/** Guards a client of `ollama`. */
export function isOllamaClient(client: object): client is OllamaClient {
  if (!('fetch' in client) || typeof client.fetch !== 'function') return false
  return 'config' in client && 'chat' in client && typeof client.chat === 'function'
}

/** A copy of the client whose calls are recorded. Its own list of running streams keeps `abort()` to its own calls. */
export function trackOllamaClient(client: OllamaClient, recorder: UsageRecorder): object {
  const copy = Object.assign(Object.create(Object.getPrototypeOf(client)), client)
  return Object.assign(copy, { fetch: createCapturingFetch(recorder, client.fetch), ongoingStreamedRequests: [] })
}

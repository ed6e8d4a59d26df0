import type { UsageRecorder } from '../recording/usage-recorder.js'
import { createCapturingFetch } from './capturing-fetch.js'

/** The part of @google/genai's client that a copy is made by. Its `apiClient` sends every request. */
export type GoogleGenAiClient = { readonly apiClient: ApiClient; readonly models: object; readonly chats: object }

type ApiClient = {
  readonly clientOptions: { readonly httpOptions?: object }
  /** `httpOptions.fetch`, in the versions that have this option. */
  getFetch?(): typeof fetch | undefined
  apiCall(url: string, init: RequestInit, ...settings: readonly unknown[]): Promise<Response>
}

type Dispatcher = { dispatch(options: object, handler: object): boolean }

const undiciDispatcher = Symbol.for('undici.globalDispatcher.1')

/** Guards a client of @google/genai. */
export function isGoogleGenAiClient(client: object): client is GoogleGenAiClient {
  if (!('apiClient' in client) || !('models' in client) || !('chats' in client)) return false
  const { apiClient } = client
  return typeof apiClient === 'object' && apiClient !== null && 'clientOptions' in apiClient && 'apiCall' in apiClient
}

/** A copy of the client whose models, chats and interactions are recorded; files and all else are the client's own. */
export function trackGoogleGenAiClient(client: GoogleGenAiClient, recorder: UsageRecorder): object {
  const apiClient = trackApiClient(client.apiClient, recorder)
  const models = constructLike(client.models, apiClient)
  const chats = constructLike(client.chats, models, apiClient)
  // What the client has made for itself by now, on first use.
  const made = { _interactions: undefined, _nextGenClient: undefined }
  return Object.assign(copyOf(client), made, { apiClient, models, chats })
}

function trackApiClient(apiClient: ApiClient, recorder: UsageRecorder): ApiClient {
  if (!apiClient.getFetch) return trackApiCalls(apiClient, recorder)
  const fetch = createCapturingFetch(recorder, apiClient.getFetch() ?? fetchWithoutTimeLimit)
  const { clientOptions } = apiClient
  const httpOptions = { ...clientOptions.httpOptions, fetch }
  return Object.assign(copyOf(apiClient), { clientOptions: { ...clientOptions, httpOptions } })
}

// Versions without the option call the global `fetch`, and try again, in this one method: the answer that it settles on
// is recorded.
function trackApiCalls(apiClient: ApiClient, recorder: UsageRecorder): ApiClient {
  const apiCall: ApiClient['apiCall'] = (url, init, ...settings) => {
    const send: typeof fetch = (_url, sent) => apiClient.apiCall(url, sent ?? init, ...settings)
    return createCapturingFetch(recorder, send)(url, init)
  }
  return Object.assign(copyOf(apiClient), { apiCall })
}

// The client lifts Node's limit of 300 seconds without a byte, but only where it is given no fetch.
function fetchWithoutTimeLimit(input: string | URL | Request, init: RequestInit | undefined): Promise<Response> {
  const dispatch: Dispatcher['dispatch'] = (options, handler) =>
    globalDispatcher().dispatch({ ...options, headersTimeout: 0, bodyTimeout: 0 }, handler)
  return fetch(input, Object.assign({ dispatcher: { dispatch } }, init))
}

// Node makes it when it is first needed, as for these headers.
function globalDispatcher(): Dispatcher {
  new Headers()
  return Reflect.get(globalThis, undiciDispatcher)
}

function constructLike(object: object, ...parts: readonly object[]): object {
  const Class = object.constructor as new (...parts: readonly object[]) => object
  return new Class(...parts)
}

function copyOf<T extends object>(object: T): T {
  return Object.assign(Object.create(Object.getPrototypeOf(object)), object)
}

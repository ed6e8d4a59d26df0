import type { UsageRecorder } from '../recording/usage-recorder.js'
import { createCapturingFetch } from './capturing-fetch.js'

/**
 * What the clients that Stainless generates have in common: openai with Azure, @anthropic-ai/sdk, groq-sdk, together-ai and
 * @cerebras/cerebras_cloud_sdk. The older ones have no `withOptions()`.
 */
export type StainlessClient = {
  readonly fetch: typeof fetch
  readonly _options?: object
  withOptions?(options: object): object
  readonly apiVersion?: unknown
  readonly deploymentName?: unknown
  readonly _azureADTokenProvider?: unknown
}

/** Guards a client that can be set up again with other options. */
export function isStainlessClient(client: object): client is StainlessClient {
  if (!Object.hasOwn(client, 'fetch') || typeof Reflect.get(client, 'fetch') !== 'function') return false
  if ('withOptions' in client) return typeof client.withOptions === 'function'
  return '_options' in client && typeof client._options === 'object' && client._options !== null
}

/** A client of the same class and settings whose calls are recorded. Throws where its class takes no other fetch. */
export function trackStainlessClient(client: StainlessClient, recorder: UsageRecorder): object {
  const capturingFetch = createCapturingFetch(recorder, client.fetch)
  const options = { ...azureOptionsOf(client), fetch: capturingFetch }
  const tracked = client.withOptions ? client.withOptions(options) : constructAnew(client, options)
  if (!('fetch' in tracked) || tracked.fetch !== capturingFetch) throw new Error('the fetch option has no effect')
  return tracked
}

// A copy would not do: the parts of a client (`client.chat`) lead back to the client that they were made for.
function constructAnew(client: StainlessClient, options: object): object {
  const Client = client.constructor as new (options: object) => object
  const settings = Object.keys(client._options ?? {}).map((name) => [name, settingOf(client, name)])
  // Cerebras's constructor sends a request to open a connection, which the client at hand has done.
  return new Client({ ...Object.fromEntries(settings), warmTCPConnection: false, ...options })
}

// The application may have changed a setting, its key say, since.
function settingOf(client: StainlessClient, name: string): unknown {
  return Reflect.get(Object.hasOwn(client, name) ? client : (client._options ?? {}), name)
}

// AzureOpenAI hands all but these on to its copy.
function azureOptionsOf({ apiVersion, deploymentName, _azureADTokenProvider }: StainlessClient): object {
  if (apiVersion === undefined) return {}
  const azure = { apiVersion, deployment: deploymentName }
  return _azureADTokenProvider === undefined
    ? azure
    : { ...azure, azureADTokenProvider: _azureADTokenProvider, apiKey: null }
}

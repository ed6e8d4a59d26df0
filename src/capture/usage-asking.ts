import { isJsonObject, type JsonObject } from '../extractors/json-object.js'
import type { WireFormat } from '../extractors/wire-format.js'
import type { CallRequest } from './call-request.js'
import { findProviderHost } from './provider-hosts.js'

const maxRemembered = 1000
/** Headers that vouch for the bytes of the body. */
const signatures = ['x-amz-content-sha256', 'content-digest', 'digest', 'content-md5', 'signature']

/**
 * Asks for the usage of a streamed chat completion where the application did not, by `stream_options.include_usage`.
 * Remembers per address and model who takes that and who refuses it.
 */
export class UsageAsking {
  readonly #taken = new Map<string, boolean>()

  /** The arguments of the same request with the question in it; undefined where there is no need, or no way, to ask. */
  ask(format: WireFormat, request: CallRequest, init: RequestInit | undefined): RequestInit | undefined {
    const { body } = request
    if (!format.tellsUsageWhenAsked || !request.wantsStream || !body || typeof init?.body !== 'string') return undefined
    if (isJsonObject(body.stream_options) && body.stream_options.include_usage === true) return undefined
    if (this.#taken.get(keyOf(request)) === false) return undefined
    if (findProviderHost(request.url.hostname)?.sendsUsageUnasked) return undefined
    const headers = new Headers(request.headers)
    if (isSigned(headers)) return undefined
    headers.delete('content-length')
    return { ...init, headers, body: withQuestion(init.body, body) }
  }

  /** Whether a refusal may be due to the question: this address has not been seen to take it. */
  mayBeRefused(request: CallRequest, status: number): boolean {
    return (status === 400 || status === 422) && this.#taken.get(keyOf(request)) !== true
  }

  remember(request: CallRequest, isTaken: boolean): void {
    if (this.#taken.size >= maxRemembered) this.#taken.clear()
    this.#taken.set(keyOf(request), isTaken)
  }
}

// The application's own text stays as it is where that is possible: numbers and spelling survive.
function withQuestion(text: string, body: JsonObject): string {
  if (!('stream_options' in body)) return text.replace('{', '{"stream_options":{"include_usage":true},')
  const options = isJsonObject(body.stream_options) ? body.stream_options : {}
  return JSON.stringify({ ...body, stream_options: { ...options, include_usage: true } })
}

function keyOf({ url, model }: CallRequest): string {
  return `${url.origin}${url.pathname} ${model}`
}

function isSigned(headers: Headers): boolean {
  return signatures.some((name) => headers.has(name)) || /^AWS4-/.test(headers.get('authorization') ?? '')
}

import { isJsonObject } from '../extractors/json-object.js'
import { findModelInPath } from '../extractors/model-in-path.js'
import { findFormatOfRequest } from '../extractors/registry.js'
import type { ModelRequest } from '../extractors/wire-format.js'

/** What capture knows of a request before it is sent. Nothing of it is kept longer than the call. */
export type CallRequest = ModelRequest & {
  readonly url: URL
  readonly model: string | null
  /** Whether the body asks for a streamed answer. */
  readonly wantsStream: boolean
  readonly signal: AbortSignal | null
  readonly headers: RequestInit['headers']
  /** Reads the body anew. */
  readBody(): ModelRequest['body']
}

/**
 * Reads the arguments of a `fetch` call without touching them; undefined where it is no POST to what may be a model.
 * Only a string is read as JSON, since reading a stream would use it up; of a form only the field `model`.
 */
export function readCallRequest(input: string | URL | Request, init: RequestInit | undefined): CallRequest | undefined {
  const request = typeof input === 'object' && 'url' in input ? input : undefined
  if ((init?.method ?? request?.method ?? 'GET').toUpperCase() !== 'POST') return undefined
  const address = request ? request.url : String(input)
  if (!URL.canParse(address)) return undefined
  const url = new URL(address)
  const path = url.pathname.replace(/\/+$/, '')
  if (!findFormatOfRequest({ path, body: null })) return undefined
  const readBody = () => readJsonBody(init?.body)
  const body = readBody()
  const model = init?.body instanceof FormData ? init.body.get('model') : body?.model
  return {
    url,
    path,
    body,
    readBody,
    model: typeof model === 'string' ? model : findModelInPath(path),
    wantsStream: body?.stream === true,
    signal: init?.signal ?? request?.signal ?? null,
    headers: init?.headers ?? request?.headers,
  }
}

function readJsonBody(body: unknown): ModelRequest['body'] {
  if (body instanceof FormData || body instanceof URLSearchParams) return {}
  if (typeof body !== 'string') return null
  try {
    const value: unknown = JSON.parse(body)
    return isJsonObject(value) ? value : {}
  } catch {
    return {}
  }
}

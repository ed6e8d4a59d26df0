import { Readable } from 'node:stream'
import type { BodyWatcher } from './body-watcher.js'

/** A response of node-fetch, which older SDKs bring along: its body is a stream of Node and no web stream. */
export type NodeFetchResponse = Omit<Response, 'body'> & { readonly body: Readable }

type NodeFetchResponseClass = new (body: Readable, options: object) => NodeFetchResponse

/** Guards a response of node-fetch. */
export function isNodeFetchResponse(response: object): response is NodeFetchResponse {
  return 'body' in response && response.body instanceof Readable && 'clone' in response
}

/** The same response, of its own class, with its body passing the watcher as it is read. */
export function watchNodeFetchResponse(response: NodeFetchResponse, watcher: BodyWatcher): NodeFetchResponse {
  const { url, status, statusText, headers, redirected } = response
  const Class = response.constructor as NodeFetchResponseClass
  return new Class(watchBody(response.body, watcher), { url, status, statusText, headers, counter: Number(redirected) })
}

function watchBody(body: Readable, watcher: BodyWatcher): Readable {
  const watched = Readable.from(watchChunks(body, watcher), { objectMode: false, highWaterMark: 0 })
  // Told once and only here, also while nobody reads.
  body.once('error', (error) => {
    watcher.fail()
    watched.destroy(error)
  })
  return watched.once('close', () => {
    watcher.cancel()
    body.destroy()
  })
}

async function* watchChunks(body: Readable, watcher: BodyWatcher): AsyncGenerator<Buffer> {
  watcher.ask()
  for await (const chunk of body) {
    const bytes = watcher.pass(chunk)
    if (bytes.length > 0) yield asBuffer(bytes)
    watcher.ask()
  }
  const rest = watcher.end()
  if (rest.length > 0) yield asBuffer(rest)
}

function asBuffer({ buffer, byteOffset, byteLength }: Uint8Array): Buffer {
  return Buffer.from(buffer, byteOffset, byteLength)
}

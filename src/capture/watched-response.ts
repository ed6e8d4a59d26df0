import { Readable } from 'node:stream'
import type { BodyWatcher } from './body-watcher.js'
import { isNodeFetchResponse, watchNodeFetchResponse } from './node-fetch-response.js'

/** Breaks off what nobody can ask for any more, as Node's own fetch does: it would hold its connection for ever. */
const forgotten = new FinalizationRegistry<ReadableStream>((body) => {
  if (!body.locked && !Readable.isDisturbed(body as unknown as NodeJS.ReadableStream)) body.cancel().catch(() => {})
})

/** A response whose body can be watched: one that has a stream which nobody reads yet. */
export function hasReadableBody(response: Response): boolean {
  if (isNodeFetchResponse(response)) return !response.body.readableDidRead
  return typeof response.body?.getReader === 'function' && !response.body.locked
}

/** Breaks off an answer that nobody is to read. */
export function discardBody(response: Response): void {
  if (isNodeFetchResponse(response)) response.body.destroy()
  else if (hasReadableBody(response)) response.body?.cancel().catch(() => {})
}

/**
 * The same response with its body passing the watcher. A chunk is read when the application asks for one and not
 * before, and what the application cancels is cancelled upstream.
 */
export function watchResponse(response: Response, watcher: BodyWatcher): Response {
  if (isNodeFetchResponse(response)) return watchNodeFetchResponse(response, watcher) as unknown as Response
  const headers = new Headers(response.headers)
  const body = watchBody(response.body as ReadableStream<Uint8Array>, watcher)
  const watched = describeAs(response, new Response(body, { status: response.status, headers }))
  forgotten.register(watched, body)
  return watched
}

// A constructed response knows neither where it came from nor, after clone(), what is defined on it here, and it refuses
// a status text that is not Latin-1, which a server's may be.
function describeAs(original: Response, copy: Response): Response {
  const { url, redirected, type, statusText } = original
  const clone = () => describeAs(original, Response.prototype.clone.call(copy))
  for (const [name, value] of Object.entries({ url, redirected, type, statusText, clone })) {
    Object.defineProperty(copy, name, { value, configurable: true })
  }
  return copy
}

function watchBody(body: ReadableStream<Uint8Array>, watcher: BodyWatcher): ReadableStream<Uint8Array> {
  const reader = body.getReader()
  let isCancelled = false
  return new ReadableStream<Uint8Array>(
    {
      start(controller) {
        // Rejects as soon as the body breaks, also while nobody reads.
        reader.closed.catch((error) => {
          watcher.fail()
          controller.error(error)
        })
      },
      async pull(controller) {
        watcher.ask()
        // Node's fetch leaves a body pending for ever that is aborted after its last byte has come and before it is read.
        if (watcher.signal?.aborted) throw abandon(reader, watcher)
        for (;;) {
          const { done, value } = await reader.read()
          if (isCancelled) return
          const bytes = done ? watcher.end() : ArrayBuffer.isView(value) ? watcher.pass(value) : value
          if (bytes.length !== 0) controller.enqueue(bytes)
          if (done) return controller.close()
          if (bytes.length !== 0) return
        }
      },
      cancel(reason) {
        isCancelled = true
        watcher.cancel()
        return reader.cancel(reason)
      },
    },
    // Nothing is read ahead. Not a byte stream, as the original may be: handing on the memory of each chunk costs more
    // than all else here.
    { highWaterMark: 0 },
  )
}

function abandon(reader: ReadableStreamDefaultReader<Uint8Array>, { signal, fail }: BodyWatcher): unknown {
  fail()
  reader.cancel(signal?.reason).catch(() => {})
  return signal?.reason
}

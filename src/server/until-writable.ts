import { once } from 'node:events'
import type { Writable } from 'node:stream'

/** Resolves when the other side has taken what was written, or is gone; leaves no listener behind. */
export async function untilWritable(stream: Writable): Promise<void> {
  const waited = new AbortController()
  const { signal } = waited
  await Promise.race([once(stream, 'drain', { signal }), once(stream, 'close', { signal })]).finally(() =>
    waited.abort(),
  )
}

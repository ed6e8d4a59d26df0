import fs from 'node:fs'
import { syncBuiltinESMExports } from 'node:module'

/** From now on each write to a segment of a spool takes `stallMs`, as on a disk that has more to do than it can. Returns how to count them. */
export function stallSpool(stallMs: number): () => number {
  let stalls = 0
  const { openSync, writeSync } = fs
  const segments = new Set<number>()
  const pause = new Int32Array(new SharedArrayBuffer(4))
  Object.assign(fs, {
    openSync: (path: string, ...rest: [number, number]) => {
      const descriptor = openSync(path, ...rest)
      if (path.endsWith('.spool')) segments.add(descriptor)
      else segments.delete(descriptor)
      return descriptor
    },
    writeSync: (descriptor: number, ...rest: [Buffer, number]) => {
      if (segments.has(descriptor)) {
        stalls += 1
        Atomics.wait(pause, 0, 0, stallMs)
      }
      return writeSync(descriptor, ...rest)
    },
  })
  syncBuiltinESMExports()
  return () => stalls
}

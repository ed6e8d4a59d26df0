import { randomFillSync } from 'node:crypto'
import { v5, v7 } from 'uuid'

const idempotencyNamespace = '0b4b0e0e-6d5c-5a1e-9d0a-6a8f1a6f3c57'
const bytesPerId = 16
const pool = new Uint8Array(256 * bytesPerId)
let used = pool.length

let lastMs = 0
let sequence = 0

/** A new UUIDv7, above all earlier ones of this process. One request to the system for the randomness of many makes it cheap. */
export function createEventId(): string {
  const random = takeRandomBytes()
  const now = Date.now()
  if (now > lastMs) {
    lastMs = now
    // A random start below half of the 32 bits leaves room to count on within the millisecond.
    sequence = ((random[6] ?? 0) << 23) | ((random[7] ?? 0) << 15) | ((random[8] ?? 0) << 7)
  } else {
    sequence += 1
  }
  return v7({ random, msecs: lastMs, seq: sequence })
}

/** The same id for the same key, everywhere. */
export function eventIdOfKey(idempotencyKey: string): string {
  return v5(idempotencyKey, idempotencyNamespace)
}

function takeRandomBytes(): Uint8Array {
  if (used === pool.length) {
    randomFillSync(pool)
    used = 0
  }
  used += bytesPerId
  return pool.subarray(used - bytesPerId, used)
}

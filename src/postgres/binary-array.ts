import pg from 'pg'

// The wire form of an array in binary: dimensions, a flag for nulls, the element type, the length, the lower bound, and
// then each element with its own length, -1 for null.
// https://github.com/postgres/postgres/blob/master/src/backend/utils/adt/arrayfuncs.c (array_recv)
const headerBytes = 20
const { builtins } = pg.types
const microsecondsTo2000 = 946_684_800_000_000n
const textOid = builtins.TEXT

/** A `text[]` parameter; text is expected to be free of NUL. */
export function textArray(values: readonly (string | null)[]): Buffer {
  let size = headerBytes
  const lengths = values.map((value) => (value === null ? 0 : Buffer.byteLength(value)))
  for (const length of lengths) size += 4 + length
  const buffer = createArray(size, textOid, values.length)
  let offset = headerBytes
  values.forEach((value, index) => {
    offset = buffer.writeInt32BE(value === null ? -1 : (lengths[index] ?? 0), offset)
    if (value !== null) offset += buffer.write(value, offset)
  })
  return buffer
}

/** An `int4[]` parameter of whole numbers that fit. */
export function int4Array(values: readonly (number | null)[]): Buffer {
  return fixedArray(values, {
    oid: builtins.INT4,
    width: 4,
    write: (buffer, value, offset) => buffer.writeInt32BE(value, offset),
  })
}

/** An `int8[]` parameter. */
export function int8Array(values: readonly (bigint | null)[]): Buffer {
  return fixedArray(values, {
    oid: builtins.INT8,
    width: 8,
    write: (buffer, value, offset) => buffer.writeBigInt64BE(value, offset),
  })
}

/** A `timestamptz[]` parameter of milliseconds since 1970. */
export function timestamptzArray(values: readonly number[]): Buffer {
  return fixedArray(values, {
    oid: builtins.TIMESTAMPTZ,
    width: 8,
    write: (buffer, value, offset) => buffer.writeBigInt64BE(BigInt(value) * 1000n - microsecondsTo2000, offset),
  })
}

/** A `uuid[]` parameter. */
export function uuidArray(values: readonly string[]): Buffer {
  return fixedArray(values, {
    oid: builtins.UUID,
    width: 16,
    write: (buffer, value, offset) => offset + buffer.write(value.replaceAll('-', ''), offset, 'hex'),
  })
}

type Fixed<Value> = {
  readonly oid: number
  readonly width: number
  readonly write: (buffer: Buffer, value: Value, offset: number) => number
}

function fixedArray<Value>(values: readonly (Value | null)[], { oid, width, write }: Fixed<Value>): Buffer {
  const present = values.reduce((count: number, value) => (value === null ? count : count + 1), 0)
  const buffer = createArray(headerBytes + 4 * values.length + width * present, oid, values.length)
  let offset = headerBytes
  for (const value of values) {
    offset = buffer.writeInt32BE(value === null ? -1 : width, offset)
    if (value !== null) offset = write(buffer, value, offset)
  }
  return buffer
}

function createArray(size: number, oid: number, length: number): Buffer {
  const buffer = Buffer.allocUnsafe(size)
  buffer.writeInt32BE(1, 0)
  buffer.writeInt32BE(1, 4)
  buffer.writeInt32BE(oid, 8)
  buffer.writeInt32BE(length, 12)
  buffer.writeInt32BE(1, 16)
  return buffer
}

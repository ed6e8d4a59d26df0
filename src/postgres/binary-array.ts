import pg from 'pg'

// The wire form of an array in binary: dimensions, a flag for nulls, the element type, the length, the lower bound, and
// then each element with its own length, -1 for null.
// https://github.com/postgres/postgres/blob/master/src/backend/utils/adt/arrayfuncs.c (array_recv)
const headerBytes = 20
const lengthBytes = 4
const { builtins } = pg.types
const millisecondsTo2000 = 946_684_800_000

/** A `text[]` parameter; text is expected to be free of NUL. */
export function textArray(values: readonly (string | null)[]): Buffer {
  const lengths = new Uint32Array(values.length)
  let size = headerBytes + lengthBytes * values.length
  values.forEach((value, index) => {
    const length = isSameAsBefore(values, index) ? lengths[index - 1] : value === null ? 0 : Buffer.byteLength(value)
    lengths[index] = length ?? 0
    size += lengths[index] ?? 0
  })
  const { buffer, view } = createArray(size, builtins.TEXT, values.length)
  let offset = headerBytes
  values.forEach((value, index) => {
    const length = lengths[index] ?? 0
    view.setInt32(offset, value === null ? -1 : length)
    offset += lengthBytes
    // In most columns one text stands many times in a row, and copying its bytes is cheaper than encoding it.
    if (isSameAsBefore(values, index)) buffer.copyWithin(offset, offset - lengthBytes - length, offset - lengthBytes)
    else if (value !== null) buffer.write(value, offset)
    offset += length
  })
  return buffer
}

/** An `int4[]` parameter of whole numbers that fit. */
export function int4Array(values: readonly (number | null)[]): Buffer {
  return fixedArray(values, {
    oid: builtins.INT4,
    width: 4,
    write: (view, value, offset) => view.setInt32(offset, value),
  })
}

/** An `int8[]` parameter. */
export function int8Array(values: readonly (bigint | null)[]): Buffer {
  return fixedArray(values, {
    oid: builtins.INT8,
    width: 8,
    write: (view, value, offset) => view.setBigInt64(offset, value),
  })
}

/** A `timestamptz[]` parameter of milliseconds since 1970, between the years 1900 and 2200. */
export function timestamptzArray(values: readonly number[]): Buffer {
  return fixedArray(values, {
    oid: builtins.TIMESTAMPTZ,
    width: 8,
    write: (view, value, offset) => {
      const microseconds = (value - millisecondsTo2000) * 1000
      view.setInt32(offset, Math.floor(microseconds / 2 ** 32))
      view.setInt32(offset + 4, microseconds)
    },
  })
}

/** A `uuid[]` parameter of ids with their hyphens. */
export function uuidArray(values: readonly string[]): Buffer {
  return fixedArray(values, {
    oid: builtins.UUID,
    width: 16,
    write: (view, value, offset) => {
      uuidDigits.forEach((at, index) => {
        view.setUint8(offset + index, (hexDigit(value, at) << 4) | hexDigit(value, at + 1))
      })
    },
  })
}

/** Where the two digits of each byte stand in the text of a UUID. */
const uuidDigits = [0, 2, 4, 6, 9, 11, 14, 16, 19, 21, 24, 26, 28, 30, 32, 34]

function hexDigit(text: string, at: number): number {
  // The bit makes a capital small, and is set in every digit.
  const code = text.charCodeAt(at) | 0x20
  return code < 58 ? code - 48 : code - 87
}

function isSameAsBefore(values: readonly (string | null)[], index: number): boolean {
  return index > 0 && values[index] !== null && values[index] === values[index - 1]
}

type Fixed<Value> = {
  readonly oid: number
  readonly width: number
  readonly write: (view: DataView, value: Value, offset: number) => void
}

function fixedArray<Value>(values: readonly (Value | null)[], { oid, width, write }: Fixed<Value>): Buffer {
  const present = values.reduce((count: number, value) => (value === null ? count : count + 1), 0)
  const { buffer, view } = createArray(headerBytes + lengthBytes * values.length + width * present, oid, values.length)
  let offset = headerBytes
  for (const value of values) {
    view.setInt32(offset, value === null ? -1 : width)
    offset += lengthBytes
    if (value === null) continue
    write(view, value, offset)
    offset += width
  }
  return buffer
}

function createArray(size: number, oid: number, length: number): { buffer: Buffer; view: DataView } {
  const buffer = Buffer.allocUnsafe(size)
  const view = new DataView(buffer.buffer, buffer.byteOffset, size)
  let offset = 0
  for (const word of [1, 1, oid, length, 1]) {
    view.setInt32(offset, word)
    offset += 4
  }
  return { buffer, view }
}

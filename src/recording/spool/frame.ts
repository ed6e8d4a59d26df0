import { crc32 } from 'node:zlib'

// No byte of it occurs in UTF-8, so none in a payload: wherever it is found a frame may begin.
const magic = Buffer.from([0xff, 0xc0, 0xfe, 0xc1])
const headBytes = magic.length + 8
const crcAt = magic.length
const lengthAt = crcAt + 4

/** What a reader found in the bytes of a segment. */
export type FramesRead = {
  readonly payloads: readonly Buffer[]
  /** Places where a frame should be and none can be read, a torn end included: as many records at least are gone. */
  readonly damaged: number
  /** Whether the last of these is an end that was torn off, as a write that was cut short leaves it. */
  readonly isTorn: boolean
}

/** A frame, or bytes where one should be and none can be read. */
export type Piece = { readonly bytes: Buffer; readonly payload: Buffer | undefined }

/** A text with what it takes to find it again among damaged bytes, and to know that it is undamaged: magic, CRC-32 of what follows, length, UTF-8. */
export function encodeFrame(text: string): Buffer {
  const length = Buffer.byteLength(text)
  const frame = Buffer.allocUnsafe(headBytes + length)
  frame.set(magic)
  frame.writeUInt32LE(length, lengthAt)
  frame.write(text, headBytes)
  frame.writeUInt32LE(crc32(frame.subarray(lengthAt)), crcAt)
  return frame
}

/** Every undamaged frame of `bytes`, in order, whatever was torn off or changed around it. */
export function readFrames(bytes: Buffer): FramesRead {
  const payloads: Buffer[] = []
  let damaged = 0
  let isTorn = false
  for (const { payload, bytes: piece } of piecesOf(bytes)) {
    if (payload === undefined) {
      damaged += 1
      isTorn = isTornAt(bytes, piece.byteOffset - bytes.byteOffset)
    } else payloads.push(payload)
  }
  return { payloads, damaged, isTorn }
}

/** All of `bytes`, in order. */
export function* piecesOf(bytes: Buffer): Generator<Piece> {
  for (let position = 0; position < bytes.length; ) {
    const payload = payloadAt(bytes, position)
    const end = payload === undefined ? nextMagic(bytes, position + 1) : position + headBytes + payload.length
    yield { payload, bytes: bytes.subarray(position, end) }
    position = end
  }
}

function payloadAt(bytes: Buffer, position: number): Buffer | undefined {
  const start = position + headBytes
  if (start > bytes.length || bytes.compare(magic, 0, magic.length, position, position + magic.length) !== 0)
    return undefined
  const end = start + bytes.readUInt32LE(position + lengthAt)
  // A length that reaches over the next magic is wrong: no byte is added up twice, however the file was made.
  if (end > nextMagic(bytes, start)) return undefined
  const isUndamaged = crc32(bytes.subarray(position + lengthAt, end)) === bytes.readUInt32LE(position + crcAt)
  return isUndamaged ? bytes.subarray(start, end) : undefined
}

// The beginning of a frame, and nothing behind it.
function isTornAt(bytes: Buffer, position: number): boolean {
  const head = bytes.subarray(position, position + headBytes)
  const isBeginning = head.subarray(0, magic.length).equals(magic.subarray(0, head.length))
  if (!isBeginning || nextMagic(bytes, position + 1) < bytes.length) return false
  return head.length < headBytes || position + headBytes + head.readUInt32LE(lengthAt) > bytes.length
}

function nextMagic(bytes: Buffer, position: number): number {
  const found = bytes.indexOf(magic, position)
  return found === -1 ? bytes.length : found
}

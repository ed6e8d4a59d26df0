import { createRequire } from 'node:module'
import type { EventStreamCodec } from '@smithy/eventstream-codec'
import { TokenLedgerError } from '../errors.js'
import { answerTooLong } from './answer-too-long.js'

const requireFromHere = createRequire(import.meta.url)
const maxFrameBytes = 1024 * 1024
const lengthBytes = 4
const decoder = new TextDecoder()
const encoder = new TextEncoder()

/**
 * Cuts the binary event stream of AWS into its events and hands each on as `{ [type]: payload }`. An event may have 1 MB.
 * Needs `@smithy/eventstream-codec`, which is loaded with the first bytes of the first such stream: the load takes some
 * tens of milliseconds, once.
 */
export function createAwsEventFraming(onMessage: (message: unknown) => void) {
  let codec: EventStreamCodec | undefined
  let parts: Uint8Array[] = []
  let heldBytes = 0
  let neededBytes = lengthBytes
  const takeFrames = (bytes: Uint8Array) => {
    let start = 0
    neededBytes = neededFrom(bytes)
    while (bytes.length - start >= neededBytes && neededBytes > lengthBytes) {
      codec ??= loadCodec()
      handOn(codec, bytes.subarray(start, start + neededBytes), onMessage)
      start += neededBytes
      neededBytes = neededFrom(bytes.subarray(start))
    }
    return bytes.subarray(start)
  }
  return {
    push(bytes: Uint8Array) {
      // A copy, since the application may take the memory of what passes.
      parts.push(bytes.slice())
      heldBytes += bytes.length
      if (heldBytes < neededBytes) return
      const rest = takeFrames(Buffer.concat(parts))
      parts = [rest]
      heldBytes = rest.length
    },
    end() {},
  }
}

/** How long the event that begins here is; as long as that is not known, the length of the number that says it. */
function neededFrom(bytes: Uint8Array): number {
  if (bytes.length < lengthBytes) return lengthBytes
  const length = new DataView(bytes.buffer, bytes.byteOffset).getUint32(0)
  if (length > maxFrameBytes) throw answerTooLong('event of an answer')
  return Math.max(length, lengthBytes + 1)
}

function handOn(codec: EventStreamCodec, frame: Uint8Array, onMessage: (message: unknown) => void): void {
  const { headers, body } = codec.decode(frame)
  const name = headers[':event-type']?.value ?? headers[':exception-type']?.value ?? 'error'
  let payload: unknown = {}
  try {
    payload = JSON.parse(decoder.decode(body))
  } catch {
    // An event without a payload.
  }
  onMessage(Object.fromEntries([[name, payload]]))
}

function loadCodec(): EventStreamCodec {
  try {
    const { EventStreamCodec: Codec } = requireFromHere('@smithy/eventstream-codec')
    return new Codec(
      (bytes: Uint8Array) => decoder.decode(bytes),
      (text: string) => encoder.encode(text),
    )
  } catch (error) {
    throw new TokenLedgerError(
      'TOKENLEDGER_CODEC_MISSING',
      'install @smithy/eventstream-codec to have the streams of Amazon Bedrock read',
      { cause: error },
    )
  }
}

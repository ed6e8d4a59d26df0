import fc from 'fast-check'
import { describe, expect, it, vi } from 'vitest'
import { encodeFrame, readFrames } from '../../../src/recording/spool/frame.js'

const sums = vi.hoisted(() => ({ bytes: 0 }))

vi.mock('node:zlib', async (importOriginal) => {
  const zlib = await importOriginal<typeof import('node:zlib')>()
  const crc32 = (bytes: Buffer) => {
    sums.bytes += bytes.length
    return zlib.crc32(bytes)
  }
  return { ...zlib, crc32 }
})

const text = fc.string({ unit: 'binary', maxLength: 300 }).map((value) => value.toWellFormed())
const read = (bytes: Buffer) => {
  const { payloads, damaged } = readFrames(bytes)
  return { texts: payloads.map(String), damaged }
}
const sample = ['{"eventId":"a","n":1}', '{"eventId":"b","text":"größe 数える 🧮"}', '{}', '{"eventId":"d"}', '{"e":5}']

describe('frames', () => {
  it('come back as they were, in their order', () => {
    fc.assert(
      fc.property(fc.array(text, { maxLength: 20 }), (texts) => {
        expect(read(Buffer.concat(texts.map(encodeFrame)))).toEqual({ texts, damaged: 0 })
      }),
    )
  })

  it('are all found that were whole when the end was torn off, at whatever byte', () => {
    const frames = sample.map(encodeFrame)
    const bytes = Buffer.concat(frames)
    const ends = frames.map((_, index) => Buffer.concat(frames.slice(0, index + 1)).length)

    for (let length = ends[1] ?? 0; length <= bytes.length; length++) {
      const whole = ends.filter((end) => end <= length).length
      expect(read(bytes.subarray(0, length))).toEqual({
        texts: sample.slice(0, whole),
        damaged: length === ends[whole - 1] ? 0 : 1,
      })
    }
  })

  it('are all found but the one of which a bit was flipped, whichever bit', () => {
    const frames = sample.map(encodeFrame)
    const start = (frames[0]?.length ?? 0) + (frames[1]?.length ?? 0)
    const others = sample.filter((_, index) => index !== 2)

    for (let bit = 0; bit < (frames[2]?.length ?? 0) * 8; bit++) {
      const bytes = Buffer.concat(frames)
      bytes.writeUInt8(bytes.readUInt8(start + (bit >> 3)) ^ (1 << (bit & 7)), start + (bit >> 3))
      expect(read(bytes)).toEqual({ texts: others, damaged: 1 })
    }
  })

  it('tell an end that was torn off, at whatever byte, from any other damage', () => {
    const bytes = Buffer.concat(sample.map(encodeFrame))
    const [first = Buffer.alloc(0), second = Buffer.alloc(0)] = sample.map(encodeFrame)

    for (let length = first.length + 1; length < first.length + second.length; length++) {
      expect(readFrames(bytes.subarray(0, length)).isTorn).toBe(true)
    }
    expect(readFrames(bytes).isTorn).toBe(false)
    expect(readFrames(Buffer.concat([first.subarray(0, 20), second])).isTorn).toBe(false)
    expect(readFrames(Buffer.concat([first, Buffer.alloc(500)])).isTorn).toBe(false)
    const flipped = Buffer.concat([first, second])
    flipped.writeUInt8(flipped.readUInt8(flipped.length - 1) ^ 1, flipped.length - 1)
    expect(readFrames(flipped)).toMatchObject({ damaged: 1, isTorn: false })
  })

  it('are found again after garbage of any kind, and garbage never becomes one', () => {
    const garbage = fc.uint8Array({ maxLength: 200 }).map((bytes) => Buffer.from(bytes))
    const looksLikeOne = fc.constant(encodeFrame('x'.repeat(50)).subarray(0, 30))

    fc.assert(
      fc.property(fc.array(fc.tuple(text, fc.oneof(garbage, looksLikeOne)), { maxLength: 10 }), (parts) => {
        const bytes = Buffer.concat(parts.flatMap(([value, junk]) => [encodeFrame(value), junk]))
        expect(read(bytes).texts).toEqual(parts.map(([value]) => value))
      }),
      { numRuns: 300 },
    )
  })

  it('count every one of several that are damaged', () => {
    const frames = sample.map(encodeFrame)
    frames[1]?.fill(0, 20, 24)
    frames[2]?.fill(1, 8, 9)

    expect(read(Buffer.concat(frames))).toEqual({ texts: [sample[0], sample[3], sample[4]], damaged: 2 })
  })

  it('are looked for without adding any byte up twice, in a file made to waste time', () => {
    const head = encodeFrame('').subarray(0, 8)
    const greedy = Buffer.concat([head, Buffer.from([0, 0, 8, 0])])
    const bytes = Buffer.concat(Array.from({ length: 80_000 }, () => greedy))
    sums.bytes = 0

    const { payloads, damaged } = readFrames(bytes)

    expect([payloads.length, damaged]).toEqual([0, 80_000])
    expect(sums.bytes).toBeLessThanOrEqual(bytes.length)
  })
})

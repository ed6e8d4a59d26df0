import { existsSync, readFileSync, renameSync, statSync, truncateSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { crc32 } from 'node:zlib'
import { beforeEach, describe, expect, it, vi } from 'vitest'
import { encodeFrame } from '../../../src/recording/spool/frame.js'
import { fullSegmentBytes, readSegment, Segment } from '../../../src/recording/spool/segment.js'
import { createTemporaryDirectory, numbered } from './spool-setup.js'

/** What the disk does: how many bytes of a write it takes at most, and after how many bytes it is full. */
const disk = vi.hoisted(() => ({ bytesAtOnce: Number.POSITIVE_INFINITY, room: Number.POSITIVE_INFINITY, canCut: true }))

vi.mock('node:fs', async (importOriginal) => {
  const fs = await importOriginal<typeof import('node:fs')>()
  return {
    ...fs,
    writeSync: (descriptor: number, bytes: Buffer, offset: number) => {
      const length = Math.min(bytes.length - offset, disk.bytesAtOnce, disk.room)
      if (length === 0) throw Object.assign(new Error('no space'), { code: 'ENOSPC' })
      disk.room -= length
      return fs.writeSync(descriptor, bytes, offset, length)
    },
    ftruncateSync: (descriptor: number, length: number) => {
      if (!disk.canCut) throw Object.assign(new Error('broken'), { code: 'EIO' })
      fs.ftruncateSync(descriptor, length)
    },
  }
})

const frames = (...texts: string[]) => texts.map(encodeFrame)
const read = (path: string) => {
  const found = readSegment(path)
  return found && { texts: found.payloads.map(String), damaged: found.damaged }
}

function setUp() {
  const path = join(createTemporaryDirectory().path, 'segment')
  const onRemoved = vi.fn()
  return { path, onRemoved, segment: new Segment(path, onRemoved) }
}

beforeEach(() => {
  Object.assign(disk, { bytesAtOnce: Number.POSITIVE_INFINITY, room: Number.POSITIVE_INFINITY, canCut: true })
})

describe('a segment', () => {
  it('holds what was appended, although the disk takes a few bytes at a time', () => {
    const { path, segment } = setUp()
    disk.bytesAtOnce = 7

    segment.append(frames('one', 'two'))
    segment.append(frames('three'))

    expect(read(path)).toEqual({ texts: ['one', 'two', 'three'], damaged: 0 })
  })

  it('is as it was before a write that the disk took only half of', () => {
    const { path, segment } = setUp()
    segment.append(frames('one'))
    const before = readFileSync(path)
    disk.room = 20

    expect(() => segment.append(frames('two', 'three'))).toThrow('no space')
    const after = readFileSync(path)
    disk.room = 1000
    segment.append(frames('four'))

    expect(after).toEqual(before)
    expect(read(path)).toEqual({ texts: ['one', 'four'], damaged: 0 })
  })

  it('takes no more where not even the half can be cut off, and keeps what was whole', () => {
    const { path, segment } = setUp()
    segment.append(frames('one'))
    Object.assign(disk, { room: 10, canCut: false })

    expect(() => segment.append(frames('two', 'three'))).toThrow('no space')

    expect(segment.isOpen).toBe(false)
    expect(read(path)).toEqual({ texts: ['one'], damaged: 1 })
  })

  it('is removed with the last acknowledgement, and not before', () => {
    const { path, segment, onRemoved } = setUp()
    segment.append(frames('one', 'two'))

    segment.acknowledge()
    const between = existsSync(path)
    segment.acknowledge()

    expect([between, existsSync(path)]).toEqual([true, false])
    expect(onRemoved).toHaveBeenCalledOnce()
  })

  it('takes no more when it is full', () => {
    const { path, segment } = setUp()

    segment.append(frames('x'.repeat(fullSegmentBytes)))

    expect(segment.isOpen).toBe(false)
    expect(read(path)?.texts).toHaveLength(1)
  })

  it('knows that it is not where it was, whether it was removed or replaced', () => {
    const { path, segment } = setUp()
    const before = segment.isInPlace()
    renameSync(path, `${path}.taken`)
    const removed = segment.isInPlace()
    writeFileSync(path, '')

    expect([before, removed, segment.isInPlace()]).toEqual([true, false, false])
  })
})

describe('reading a segment', () => {
  const texts = numbered(6)

  it('finds all frames whatever bit of the header is flipped', () => {
    const { path, segment } = setUp()
    segment.append(frames(...texts))
    const bytes = readFileSync(path)

    for (let bit = 0; bit < 16 * 8; bit++) {
      const damaged = Buffer.from(bytes)
      damaged.writeUInt8(damaged.readUInt8(bit >> 3) ^ (1 << (bit & 7)), bit >> 3)
      writeFileSync(path, damaged)
      expect(read(path)).toEqual({ texts, damaged: 0 })
    }
  })

  it('finds every frame that was whole in a file cut off at any byte of its last three', () => {
    const { path, segment } = setUp()
    segment.append(frames(...texts))
    const { size } = statSync(path)
    const lastThree = Buffer.concat(frames(...texts.slice(3))).length

    for (let length = size; length >= size - lastThree; length--) {
      truncateSync(path, length)
      const found = read(path)
      expect(found?.texts).toEqual(texts.slice(0, found?.texts.length))
      expect(found?.texts.length).toBeGreaterThanOrEqual(3)
      expect(found?.damaged).toBeLessThanOrEqual(1)
    }
  })

  it('finds nothing in an empty file, and no file where there is none', () => {
    const { path } = setUp()

    expect(read(path)).toEqual({ texts: [], damaged: 0 })
    expect(read(`${path}.gone`)).toBeUndefined()
  })

  it('leaves a segment of another version and a file of another size alone', () => {
    const { path, segment } = setUp()
    segment.append(frames('one'))
    const other = createHeaderOfVersion(2)
    writeFileSync(path, Buffer.concat([other, ...frames('one')]))
    writeFileSync(`${path}.large`, Buffer.alloc(2_000_000))

    expect(() => read(path)).toThrow('another version')
    expect(() => read(`${path}.large`)).toThrow('larger than any')
  })
})

function createHeaderOfVersion(version: number): Buffer {
  const path = join(createTemporaryDirectory().path, 'segment')
  new Segment(path, () => {}).append(frames('one'))
  const header = readFileSync(path).subarray(0, 16)
  header.writeUInt32LE(version, 8)
  header.writeUInt32LE(crc32(header.subarray(0, 12)), 12)
  return header
}

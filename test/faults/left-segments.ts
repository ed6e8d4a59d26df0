import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { encodeFrame, readFrames } from '../../src/recording/spool/frame.js'
import type { Owner } from '../../src/recording/spool/owner.js'
import { SpoolDirectory } from '../../src/recording/spool/spool-directory.js'
import { spoolRecord } from '../../src/recording/spool/spooled-record.js'
import { draftRecord } from '../../src/usage/draft-record.js'
import { toUsageRecord } from '../../src/usage/to-usage-record.js'

/** A process that ran before the machine was started. */
const longGone: Owner = { bootId: '00000000', pidNamespace: '1', pid: 1, startedAt: '1' }

type Left = {
  readonly segments: number
  /** In each segment. */
  readonly rows: number
  readonly name: string
  /** Whose they are; by default a process's that ran before the machine was started. */
  readonly owner?: Owner
}

/** Leaves segments in a spool as a process that was killed does, and returns the ids of their rows. */
export function leaveSegments(spoolDir: string, { segments, rows, name, owner }: Left): string[] {
  return Array.from({ length: segments }, (_, segment) => {
    const ids = Array.from({ length: rows }, (_, row) => `${name}-${segment}-${row}`)
    leaveSegment(spoolDir, ids, owner)
    return ids
  }).flat()
}

/** Leaves one segment with rows of these ids, and returns its path. */
export function leaveSegment(spoolDir: string, ids: readonly string[], owner = longGone): string {
  const file = new SpoolDirectory(spoolDir, { self: owner, stateOf: () => 'running' }).create(() => {})
  file.append(ids.map(encodeRow))
  file.seal()
  return file.path
}

/** The frame of a row with this id and a cost. */
export function encodeRow(responseId: string): Buffer {
  const entry = { modelName: 'm', responseId, inputTokens: 7, outputTokens: 3, costEstimate: '0.000000000123' }
  return encodeFrame(spoolRecord(toUsageRecord(draftRecord(entry, {}, Date.now()))))
}

/** The ids of the rows in all segments of a spool, and how many places are damaged. */
export function readSpool(spoolDir: string): { ids: string[]; damaged: number } {
  const names = readdirSync(spoolDir).filter((name) => name.endsWith('.spool'))
  const found = names.sort().map((name) => readFrames(readFileSync(join(spoolDir, name)).subarray(16)))
  return {
    ids: found.flatMap(({ payloads }) => payloads.map((payload) => JSON.parse(String(payload)).responseId)),
    damaged: found.reduce((sum, { damaged }) => sum + damaged, 0),
  }
}

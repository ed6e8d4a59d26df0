import { chmodSync, closeSync, existsSync, mkdtempSync, readdirSync, readFileSync, readlinkSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setImmediate as nextTurn } from 'node:timers/promises'
import { expect, onTestFinished } from 'vitest'
import { BatchProcessor, type BatchProcessorSettings } from '../../../src/recording/batch-processor.js'
import { MemoryExporter } from '../../../src/recording/memory-exporter.js'
import { readFrames } from '../../../src/recording/spool/frame.js'
import type { Liveness, OwnerState } from '../../../src/recording/spool/owner.js'
import { draftRecord } from '../../../src/usage/draft-record.js'
import type { UsageRecord } from '../../../src/usage/usage-record.js'

/** A directory of one test; `spool` in it is not there yet. */
export function createTemporaryDirectory(): { path: string; spool: string } {
  const path = mkdtempSync(join(tmpdir(), 'tokenledger-spool-'))
  onTestFinished(() => {
    chmodSync(path, 0o700)
    rmSync(path, { recursive: true, force: true })
  })
  return { path, spool: join(path, 'spool') }
}

/** Processes that exist in one test only, all in this one: `end` is what a kill would be. */
export function createProcesses() {
  const states = new Map<number, OwnerState>()
  return {
    start(): Liveness {
      const pid = states.size + 1
      states.set(pid, 'running')
      const self = { bootId: 'test', pidNamespace: '1', pid, startedAt: String(pid) }
      return { self, stateOf: (owner) => states.get(owner.pid) ?? 'ended' }
    },
    become(liveness: Liveness, state: OwnerState): void {
      states.set(liveness.self.pid, state)
    },
  }
}

/** The memory exporter, told what to do at each write. */
export class ToldExporter extends MemoryExporter {
  readonly batches: number[] = []
  onExport: (records: readonly UsageRecord[]) => Promise<void> | void = () => {}

  override async export(records: readonly UsageRecord[]): Promise<void> {
    this.batches.push(records.length)
    await this.onExport(records)
    await super.export(records)
  }

  get names(): string[] {
    return this.records.map(({ modelName }) => modelName)
  }
}

const defaults: BatchProcessorSettings = { batchSize: 10, maxBatchSize: 5000, flushIntervalMs: 5000, maxMemoryMb: 32 }

export type StartOptions = Partial<BatchProcessorSettings> & {
  readonly directory: string | undefined
  readonly maxMb?: number
  readonly fsync?: boolean | undefined
  readonly liveness?: Liveness
}

/** A processor with a spool, and the store it writes to; `log` gives it rows of these names. */
export function startProcessor({ directory, maxMb = 512, fsync, liveness, ...settings }: StartOptions) {
  const lines: string[] = []
  const keepLine = (_fields: object, message: string) => lines.push(message)
  const exporter = new ToldExporter()
  const spool = directory === undefined ? undefined : { directory, maxMb, fsync, liveness }
  const diagnostics = { info: keepLine, warn: keepLine, error: keepLine }
  const processor = new BatchProcessor({ ...defaults, ...settings, spool }, exporter, diagnostics)
  onTestFinished(() => processor.close(0))
  const log = (...names: string[]) => {
    for (const modelName of names) {
      processor.push(draftRecord({ modelName, inputTokens: 2, outputTokens: 3 }, {}, Date.now()))
    }
  }
  return { processor, exporter, lines, log }
}

export function expectBalanced(processor: BatchProcessor): void {
  const { accepted, written, pending, spooled, deadLettered, dropped } = processor.stats()
  expect(written + pending + spooled + deadLettered + dropped).toBe(accepted)
}

/** The names of the rows in all segments of a directory, and how many segments there are. */
export function readSpool(directory: string): { names: string[]; segments: number } {
  const files = segmentsIn(directory)
  const names = files.flatMap((file) =>
    readFrames(readFileSync(join(directory, file)).subarray(16)).payloads.map((payload) => {
      const { modelName } = JSON.parse(String(payload)) as UsageRecord
      return modelName
    }),
  )
  return { names, segments: files.length }
}

export function segmentsIn(directory: string): string[] {
  if (!existsSync(directory)) return []
  return readdirSync(directory)
    .filter((name) => name.endsWith('.spool'))
    .sort()
}

/** Long enough for what is written at the end of this turn. */
export async function endOfTurn(): Promise<void> {
  await nextTurn()
}

/** What a process that is killed leaves to the system. */
export function closeFilesIn(directory: string): void {
  for (const descriptor of readdirSync('/proc/self/fd')) {
    try {
      if (readlinkSync(`/proc/self/fd/${descriptor}`).startsWith(directory)) closeSync(Number(descriptor))
    } catch {
      // It was the one that listed the others.
    }
  }
}

/** Rows of these names, one for each number. */
export function numbered(count: number, prefix = 'row'): string[] {
  return Array.from({ length: count }, (_, index) => `${prefix} ${index}`)
}

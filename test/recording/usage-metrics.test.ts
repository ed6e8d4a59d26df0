import { spawnSync } from 'node:child_process'
import { fileURLToPath, pathToFileURL } from 'node:url'
import { Registry as Registry15 } from 'prom-client'
import { Registry as Registry14 } from 'prom-client-14'
import { describe, expect, it, onTestFinished } from 'vitest'
import { createUsageLogger, ExportError, MemoryExporter, type MetricsRegistry } from '../../src/index.js'
import { bundleScript } from '../support/bundle-script.js'

const quiet = { info: () => {}, warn: () => {}, error: () => {} }
const entry = { modelName: 'gpt-5', inputTokens: 1, outputTokens: 1, userEmail: 'ann@example.com' }

class FailingExporter extends MemoryExporter {
  error: ExportError | undefined

  override async export(...[records]: Parameters<MemoryExporter['export']>): Promise<void> {
    if (this.error) throw this.error
    await super.export(records)
  }
}

function setUp(exporter = new FailingExporter()) {
  const usage = createUsageLogger({ enabled: true, exporter, logger: quiet, batchSize: 1000 })
  onTestFinished(() => usage.close({ timeoutMs: 0 }))
  const log = (rows: number) => {
    for (let row = 0; row < rows; row++) usage.log(entry)
  }
  return { usage, exporter, log }
}

/** The samples of a registry, by the text before the value. */
async function read(registry: MetricsRegistry & { metrics(): Promise<string> | string }): Promise<Map<string, number>> {
  const lines = (await registry.metrics()).split('\n').filter((line) => line !== '' && !line.startsWith('#'))
  return new Map(lines.map((line) => [line.slice(0, line.lastIndexOf(' ')), Number(line.split(' ').at(-1))]))
}

describe.each([
  ['14', Registry14],
  ['15', Registry15],
])('the metrics in a registry of prom-client %s', (_, Registry) => {
  it('tell what stats() tells and how the writes went, and nothing of a call', async () => {
    const registry = new Registry()
    const { usage, exporter, log } = setUp()
    usage.metrics(registry)
    const before = await read(registry)

    log(3)
    await usage.flush()
    log(2)
    usage.log(null as never)
    exporter.error = new ExportError('passing', 'TEST', 'as told')
    await usage.flush()
    const after = await read(registry)

    expect(before.get('tokenledger_last_write_timestamp_seconds')).toBe(0)
    expect(before.get('tokenledger_state{state="running"}')).toBe(1)
    expect(Object.fromEntries(after)).toMatchObject({
      tokenledger_rows_accepted_total: 6,
      tokenledger_rows_written_total: 3,
      tokenledger_rows_pending: 2,
      tokenledger_rows_spooled: 0,
      tokenledger_dead_letters_total: 0,
      tokenledger_write_retries_total: 1,
      'tokenledger_rows_dropped_total{reason="unreadable_entry"}': 1,
      'tokenledger_state{state="retrying"}': 1,
      'tokenledger_state{state="running"}': 0,
      tokenledger_write_duration_seconds_count: 1,
      tokenledger_write_rows_sum: 3,
    })
    expect(after.get('tokenledger_last_write_timestamp_seconds')).toBeCloseTo(Date.now() / 1000, -2)
    expect([...after.keys()].join()).not.toMatch(/ann|gpt/)
  })

  it('are there once, however often they are asked for, and again after the registry was cleared', async () => {
    const registry = new Registry()
    const { usage, log } = setUp()

    usage.metrics(registry)
    usage.metrics(registry)
    registry.clear()
    usage.metrics(registry)
    log(2)
    await usage.flush()

    expect((await read(registry)).get('tokenledger_rows_written_total')).toBe(2)
  })

  it('of a second logger are refused with what to do, and change nothing', async () => {
    const registry = new Registry()
    const [first, second] = [setUp(), setUp()]
    first.usage.metrics(registry)

    expect(() => second.usage.metrics(registry)).toThrow(/another usage logger already.*Registry\.merge/)
    first.log(1)
    await first.usage.flush()

    expect((await read(registry)).get('tokenledger_rows_written_total')).toBe(1)
  })
})

it('refuses what is no registry, and does nothing while logging is off', () => {
  const { usage } = setUp()

  expect(() => usage.metrics({} as never)).toThrow('metrics() takes a Registry of prom-client')
  expect(() => createUsageLogger({ enabled: false }).metrics(new Registry15())).not.toThrow()
})

it('loads prom-client for nobody who does not ask for metrics', () => {
  const script = `
    import { createRequire } from 'node:module'
    import { createUsageLogger, MemoryExporter } from '${pathToFileURL(bundleScript('src/index.ts'))}'
    const { cache, resolve } = createRequire(process.cwd() + '/src/')
    const usage = createUsageLogger({ enabled: true, exporter: new MemoryExporter() })
    const isLoaded = () => resolve('prom-client') in cache
    const before = isLoaded()
    usage.metrics(new (await import('prom-client')).default.Registry())
    console.log(JSON.stringify([before, isLoaded()]))`
  const { stdout } = spawnSync(process.execPath, ['--input-type=module', '--eval', script], {
    encoding: 'utf8',
    cwd: fileURLToPath(new URL('../..', import.meta.url)),
  })

  expect(JSON.parse(stdout)).toEqual([false, true])
})

import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest'
import { ExportError } from '../../src/errors.js'
import { Outage } from '../../src/recording/outage.js'

const figures = { pending: 12, spooled: 0, memoryMb: 0.04, maxMemoryMb: 32 }
const passing = new ExportError('passing', 'ECONNREFUSED', 'nothing answers at its address (ECONNREFUSED)')

beforeEach(() => void vi.useFakeTimers({ toFake: ['performance'] }))
afterEach(() => void vi.useRealTimers())

function setUp() {
  const lines: string[] = []
  const keepLine = (level: string) => (_fields: object, message: string) => lines.push(`${level} ${message}`)
  const outage = new Outage('PostgreSQL', { info: keepLine('info'), warn: keepLine('warn'), error: keepLine('error') })
  return { outage, lines }
}

describe('the lines about an outage', () => {
  it('say what is wrong, that the rows are kept, and when the next try comes', () => {
    const { outage, lines } = setUp()

    outage.fail(passing, figures)
    outage.fail(
      new ExportError('configuration', '42P01', 'a usage table is missing; run tokenledger migrate (42P01)'),
      figures,
    )

    expect(lines[0]).toMatch(
      /^warn PostgreSQL takes no usage rows: nothing answers at its address \(ECONNREFUSED\)\. 12 usage rows are kept in memory \(0\.0 of 32 MB\) and will be written; next try in 0\.\d s$/,
    )
    expect(lines[1]).toBe(
      'error PostgreSQL takes no usage rows: a usage table is missing; run tokenledger migrate (42P01). 12 usage rows are kept in memory (0.0 of 32 MB) until that is changed; next try in 60.0 s',
    )
  })

  it('are not one for each time that a store comes and goes', () => {
    const { outage, lines } = setUp()

    for (let time = 0; time < 100; time++) {
      outage.fail(passing, figures)
      vi.advanceTimersByTime(300)
      outage.end(0)
    }

    expect(lines).toHaveLength(2)
    expect(lines[1]).toBe('info PostgreSQL takes usage rows again after 0.3 s: nothing was lost')
  })

  it('tell of losses since the last write that succeeded', () => {
    const { outage, lines } = setUp()
    outage.end(5)

    outage.fail(passing, figures)
    outage.end(8)

    expect(lines[1]).toContain('3 usage rows were lost meanwhile')
  })

  it('never pass on the words of an error that is not ours, only its class', () => {
    const { outage, lines } = setUp()

    outage.fail(new TypeError('secret value'), figures)
    outage.fail('secret value', figures)

    expect(lines[0]).toContain('the write failed (TypeError)')
    expect(JSON.stringify([lines, outage.lastError])).not.toContain('secret')
  })
})

describe('the pauses of an outage', () => {
  it('begin short again after some rows were taken', () => {
    const { outage } = setUp()
    for (let time = 0; time < 20; time++) outage.fail(passing, figures)

    outage.easeOff()
    outage.fail(passing, figures)

    expect(outage.isOn).toBe(true)
    expect(outage.pauseMs).toBeLessThanOrEqual(450)
  })
})

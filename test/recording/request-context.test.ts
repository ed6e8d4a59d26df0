import { EventEmitter } from 'node:events'
import { setImmediate as nextTurn } from 'node:timers/promises'
import { setFlagsFromString } from 'node:v8'
import { runInNewContext } from 'node:vm'
import { describe, expect, it, onTestFinished } from 'vitest'
import { createUsageLogger, MemoryExporter } from '../../src/index.js'

setFlagsFromString('--expose-gc')
const collectGarbage = runInNewContext('gc') as () => void
const lines: string[] = []
const keepLine = (_fields: object, message: string) => lines.push(message)
const logger = { info: keepLine, warn: keepLine, error: keepLine }
const entry = { modelName: 'm', inputTokens: 10, outputTokens: 5 }

function setUp() {
  lines.length = 0
  const exporter = new MemoryExporter()
  const usage = createUsageLogger({ enabled: true, exporter, logger })
  onTestFinished(() => usage.close())
  const users = async () => {
    await usage.flush()
    return exporter.records.map(({ userEmail }) => userEmail)
  }
  return { exporter, usage, users }
}

describe('a request context', () => {
  it('reaches what is started inside it: promises, timers, events', async () => {
    const { usage, users } = setUp()
    const emitter = new EventEmitter()

    await usage.run({ user: 'ann' }, async () => {
      emitter.on('inside', () => usage.log(entry))
      await new Promise<void>((resolve) => setTimeout(resolve, 1))
      usage.log(entry)
      setImmediate(() => usage.log(entry))
      emitter.emit('inside')
    })
    usage.log(entry)
    await nextTurn()

    expect(await users()).toEqual(['ann', 'ann', 'anonymous', 'ann'])
  })

  it('falls back to the outer one for what it does not say, and adds what it used to it', async () => {
    const { exporter, usage } = setUp()

    const [outer, inner] = usage.run({ user: 'ann', project: 'shop' }, () => {
      usage.log(entry)
      const used = usage.run({ user: 'bob', session: undefined }, () => {
        usage.log(entry)
        return usage.current()
      })
      return [usage.current(), used]
    })
    await usage.flush()

    expect(exporter.records).toMatchObject([
      { userEmail: 'ann', project: 'shop' },
      { userEmail: 'bob', project: 'shop' },
    ])
    expect([outer?.calls, inner?.calls]).toEqual([2, 1])
    expect(usage.current().calls).toBe(0)
  })

  it('stays skipped inside, unless the inner one says otherwise', async () => {
    const { usage, users } = setUp()
    const skipped = { skip: true } as object

    usage.run(skipped, () => {
      usage.log(entry)
      usage.run({ user: 'inner' }, () => usage.log(entry))
      usage.run({ user: 'counted', skip: false } as object, () => usage.log(entry))
    })

    expect(await users()).toEqual(['counted'])
  })

  it('does not ask again when the answer makes a record itself', async () => {
    const { usage, users } = setUp()
    const user = () => {
      usage.log(entry)
      return 'ann'
    }

    usage.run({ user } as object, () => usage.log(entry))

    expect(await users()).toEqual(['anonymous', 'ann'])
    expect(usage.stats()).toMatchObject({ accepted: 2, dropped: 0 })
  })

  it.each([
    [null, 'anonymous'],
    [undefined, 'anonymous'],
    [{ user: '' }, 'anonymous'],
    [{ user: false }, 'anonymous'],
    [{ user: 42 }, '42'],
    [{ user: Symbol('ann') }, 'anonymous'],
    [{ user: { email: 'ann' } }, 'anonymous'],
    [{ user: 'x'.repeat(10_000_000) }, 'x'.repeat(320)],
    [
      {
        get user() {
          throw new Error('no')
        },
      },
      'anonymous',
    ],
  ])('records the row whatever it is given as identity (%#)', async (identity, expected) => {
    const { usage, users } = setUp()

    usage.run(identity as never, () => usage.log(entry))

    expect(await users()).toEqual([expected])
  })

  it('says that a promise cannot be used, and keeps its failure from ending the process', async () => {
    const { usage, users } = setUp()
    const rejections: unknown[] = []
    const keep = (reason: unknown) => rejections.push(reason)
    process.on('unhandledRejection', keep)
    onTestFinished(() => void process.off('unhandledRejection', keep))

    usage.run({ user: () => Promise.reject(new Error('secret')) } as never, () => usage.log(entry))
    const recorded = await users()
    await nextTurn()

    expect(recorded).toEqual(['anonymous'])
    expect(rejections).toEqual([])
    expect(lines).toEqual([
      'tokenledger: the option user gave a promise, which cannot be used; rows are recorded without it',
    ])
  })

  it('keeps its caller however often work starts its own successor inside it, and no chain of all before it', async () => {
    const { usage, users } = setUp()
    const identities: WeakRef<object>[] = []
    let left = 1000
    const poll = (): void => {
      if (left-- === 0) {
        usage.log(entry)
        return
      }
      const identity = { session: `s${left}` }
      identities.push(new WeakRef(identity))
      usage.run(identity, () => setImmediate(poll))
    }

    usage.run({ user: 'ann' }, poll)
    while (left >= 0) await nextTurn()
    collectGarbage()
    const held = identities.filter((identity) => identity.deref() !== undefined)

    expect(await users()).toEqual(['ann'])
    expect(held.length).toBeLessThan(200)
  })

  it('counts in current() what a row counts', () => {
    const { usage } = setUp()

    const used = usage.run({}, () => {
      for (const odd of [-5, 1.5, Number.NaN, 2 ** 31, '7']) usage.log({ ...entry, inputTokens: odd as number })
      usage.log({ ...entry, costEstimate: 0.25 })
      return usage.current()
    })

    expect(used).toEqual({ calls: 6, inputTokens: 10, outputTokens: 30, totalTokens: 40, costUsd: null })
  })
})

describe('the lines of tokenledger', () => {
  it('go to a logger whose own failure ends nothing', async () => {
    const rejections: unknown[] = []
    const keep = (reason: unknown) => rejections.push(reason)
    process.on('unhandledRejection', keep)
    onTestFinished(() => void process.off('unhandledRejection', keep))
    const broken = async () => {
      throw new Error('the log is away')
    }

    createUsageLogger({ enabled: false, batchSize: -1, logger: { info: broken, warn: broken, error: broken } })
    await nextTurn()

    expect(rejections).toEqual([])
  })
})

import { randomBytes } from 'node:crypto'
import { setImmediate as nextTurn } from 'node:timers/promises'
import { afterAll, beforeAll, expect, it, onTestFinished, vi } from 'vitest'
import { createUsageLogger, type UsageLoggerOptions } from '../../src/index.js'
import { createTestDatabase, type TestDatabase } from '../support/test-database.js'

const role = `tokenledger_${randomBytes(4).toString('hex')}`
const entry = { modelName: 'gpt-5', inputTokens: 1, outputTokens: 1 }
let database: TestDatabase

beforeAll(async () => {
  database = await createTestDatabase()
  await database.query(`create role ${role} superuser login password 'first'`)
})
afterAll(async () => {
  await database.query(`drop role ${role}`)
  await database.drop()
})

/** A logger that connects as the role, with `wrong` in its URL. */
function setUp(password: UsageLoggerOptions['password']) {
  const lines: string[] = []
  const keepLine = (fields: object, message: string) => lines.push(message + JSON.stringify(fields))
  const url = new URL(database.connectionString)
  url.username = role
  url.password = 'wrong'
  const logger = { info: keepLine, warn: keepLine, error: keepLine }
  const usage = createUsageLogger({ enabled: true, databaseUrl: url.href, password, logger })
  onTestFinished(() => usage.close({ timeoutMs: 100 }))
  return { usage, lines }
}

const countSockets = () => process.getActiveResourcesInfo().filter((name) => name === 'TCPSocketWrap').length

async function rotate(password: string): Promise<void> {
  await database.query(`alter role ${role} password '${password}'`)
  await database.query('select pg_terminate_backend(pid) from pg_stat_activity where usename = $1', [role])
}

it('is asked for at each new connection, so that rows go on when it was changed', async () => {
  let current = 'first'
  const password = vi.fn(async () => current)
  const { usage } = setUp(password)
  usage.log(entry)
  await usage.flush()
  usage.log(entry)
  await usage.flush()
  const before = { asked: password.mock.calls.length, ...usage.stats() }

  await rotate('second')
  usage.log(entry)
  const errorOfFlush = async () => {
    await usage.flush()
    return usage.stats().lastError?.reason
  }
  await expect.poll(errorOfFlush).toBe('28P01')
  const during = usage.stats()
  current = 'second'
  await usage.flush()

  expect(before).toMatchObject({ asked: 1, written: 2 })
  expect(during).toMatchObject({ state: 'misconfigured', pending: 1 })
  expect(usage.stats()).toMatchObject({ state: 'running', written: 3, pending: 0, dropped: 0 })
  await rotate('first')
})

it.each<[string, () => unknown, string]>([
  [
    'throws',
    () => {
      throw Object.assign(new Error('secret'), { code: 'secret' })
    },
    'failed',
  ],
  ['rejects', () => Promise.reject(new Error('secret')), 'failed'],
  ['gives undefined', () => undefined, 'gave no text'],
  ['gives something else', () => ({ secret: 'secret' }), 'gave no text'],
  ['gives an empty text', async () => '', 'gave no text'],
])('of a function that %s is a clear error, and the rows wait', async (_, answer, what) => {
  const password = vi.fn(answer)
  const { usage, lines } = setUp(password as never)
  usage.log(entry)
  const socketsBefore = countSockets()

  await usage.flush()
  const during = usage.stats()
  // Others may close meanwhile: that of the test before, and what the database's own pool does not need.
  await expect.poll(countSockets).toBeLessThanOrEqual(socketsBefore)
  password.mockImplementation(() => 'first')
  await usage.flush()

  const message = `the function that is to tell the password ${what} (password)`
  expect(during).toMatchObject({ state: 'retrying', pending: 1, lastError: { kind: 'passing', message } })
  expect(lines.join() + JSON.stringify(during)).not.toMatch(/secret|wrong/)
  expect(usage.stats()).toMatchObject({ state: 'running', written: 1, pending: 0 })
})

it('of a function that never answers is given up after four seconds', async () => {
  const password = vi.fn(() => new Promise<string>(() => {}))
  const { usage } = setUp(password)
  usage.log(entry)

  vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout'] })
  onTestFinished(() => void vi.useRealTimers())
  const flushed = usage.flush()
  while (password.mock.calls.length === 0) await nextTurn()
  await nextTurn()
  await vi.advanceTimersByTimeAsync(4000)
  await flushed
  vi.useRealTimers()

  expect(usage.stats().lastError?.message).toContain('did not answer within 4 s')
  expect(usage.stats()).toMatchObject({ pending: 1, dropped: 0 })
  password.mockResolvedValue('first')
  await usage.flush()
  expect(usage.stats()).toMatchObject({ written: 1 })
})

it('that is no function is said once, and the one of the URL is used', async () => {
  const { usage, lines } = setUp('secret' as never)
  usage.log(entry)

  await usage.flush()

  expect(lines[0]).toContain('password is no function; the password of the database URL is used instead')
  expect(usage.stats().lastError?.reason).toBe('28P01')
  expect(lines.join()).not.toContain('secret')
})

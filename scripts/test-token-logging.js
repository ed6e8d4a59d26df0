#!/usr/bin/env node
// Checks that tokenledger can do its work here: node scripts/test-token-logging.js
import { randomUUID } from 'node:crypto'
import { existsSync } from 'node:fs'

const dist = new URL('../dist/', import.meta.url)
const userEmail = `tokenledger-self-test+${randomUUID()}@example.invalid`
const timestamp = new Date(Date.now() - 60_000)
const shared = { userEmail, timestamp, modelName: 'tokenledger-self-test', sessionId: 'self-test' }
const chat = { ...shared, inputTokens: 1234, outputTokens: 567, costEstimate: '0.00000012' }
const migrateHint = 'run: node dist/cli/main.js migrate'

// By error code; anything else is looked up by its code.
const connectionHints = {
  ECONNREFUSED: 'nothing listens there: start PostgreSQL, or correct host and port in DATABASE_URL',
  ENOTFOUND: 'the host name in DATABASE_URL is unknown: correct it',
  '28P01': 'user name or password in DATABASE_URL is wrong: correct it',
  28000:
    'the server refuses this user, host or encryption: check its pg_hba.conf, or add sslmode=require to DATABASE_URL',
  '3D000': 'the database in DATABASE_URL does not exist: create it, or correct the name',
  DEPTH_ZERO_SELF_SIGNED_CERT: 'the certificate is not trusted: name its authority with sslrootcert in DATABASE_URL',
  SELF_SIGNED_CERT_IN_CHAIN: 'the certificate is not trusted: name its authority with sslrootcert in DATABASE_URL',
  ERR_TLS_CERT_ALTNAME_INVALID: 'the certificate is for another host: correct the host in DATABASE_URL',
}

class StepFailure extends Error {
  constructor(reason, nextStep) {
    super(`${reason}. Next: ${nextStep}`)
  }
}

process.exitCode = (await runAll()) ? 0 : 1

async function runAll() {
  const build = await step('build', loadBuild)
  if (!build) return finish(false)
  const isUnderstood = await step('environment', () => readEnvironment(build))
  const config = build.readConfig()
  if (!config.enabled) {
    console.log('WARN  environment: TOKEN_LOGGING_ENABLED is off, so your app writes nothing. Next: set it to true')
  }
  const pool = await step('settings', () => openPool(build, config))
  if (!pool) return finish(false)
  try {
    const isReady = (await step('connection', () => connect(pool))) && (await step('table', () => findTable(pool)))
    if (!isReady) return finish(false)
    // Whatever was written is removed, also when it is not what was expected.
    const isWritten = await step('write', () => writeRows(build, config))
    const isRight = isWritten && (await step('read back', () => compareRows(pool)))
    const isRemoved = await step('remove', () => removeRows(pool, isWritten))
    return finish(isUnderstood && isRight && isRemoved, config.enabled)
  } finally {
    await pool.end()
  }
}

/** Runs one step and prints its line; returns what the step returns, or undefined where it failed. */
async function step(name, run) {
  try {
    const { detail, result = true } = await run()
    console.log(`PASS  ${name}: ${detail}`)
    return result
  } catch (error) {
    console.log(`FAIL  ${name}: ${error instanceof StepFailure ? error.message : explain(error)}`)
    return undefined
  }
}

async function loadBuild() {
  if (!existsSync(new URL('index.js', dist))) throw new StepFailure('dist/ is missing', 'run: npm run build')
  const load = (path) => import(new URL(path, dist).href)
  const [library, config, pool] = await Promise.all(['index.js', 'config.js', 'postgres/pool.js'].map(load))
  return { detail: 'dist/ can be loaded', result: { ...library, ...config, ...pool } }
}

async function readEnvironment({ loadDotEnv, readConfig }) {
  loadDotEnv()
  const { problems, batchSize, flushIntervalMs } = readConfig()
  if (problems.length > 0) throw new StepFailure(problems.join('; '), 'correct it')
  return { detail: `a write every ${batchSize} rows or ${flushIntervalMs} ms` }
}

async function openPool({ createPool }, { databaseUrl, sslEnvironment }) {
  if (!databaseUrl) {
    throw new StepFailure('DATABASE_URL is not set', 'set it, or copy .env.example to .env and set it there')
  }
  const said = []
  const note = (_fields, message) => said.push(message)
  const pool = createPool(
    { databaseUrl, sslEnvironment, maxConnections: 1, queryTimeoutMs: 15_000 },
    { info: note, warn: note, error: note },
  )
  return { detail: said.join('; '), result: pool }
}

async function connect(pool) {
  const { rows } = await pool.query(
    `select current_database() as database, current_setting('server_version') as version,
       current_setting('server_version_num')::int as number`,
  )
  const [{ database, version, number }] = rows
  if (number < 140_000) throw new StepFailure(`this is PostgreSQL ${version}`, 'use PostgreSQL 14 or newer')
  return { detail: `PostgreSQL ${version}, database ${database}` }
}

async function findTable(pool) {
  const { rows } = await pool.query(
    `select to_regclass('token_usage_logs') is not null as found,
       exists (select from pg_attribute where attrelid = to_regclass('token_usage_logs') and attname = 'event_id') as migrated`,
  )
  const [{ found, migrated }] = rows
  if (!found) throw new StepFailure('the table token_usage_logs is missing', migrateHint)
  if (!migrated) throw new StepFailure('the table token_usage_logs lacks columns', migrateHint)
  return { detail: 'token_usage_logs is there' }
}

async function writeRows({ createUsageLogger }, { databaseUrl }) {
  const silent = { info() {}, warn() {}, error() {} }
  const usage = createUsageLogger({ enabled: true, databaseUrl, logger: silent })
  usage.log(chat)
  usage.logImage(shared)
  await usage.flush()
  await usage.close({ timeoutMs: 2000 })
  const { written, lastError } = usage.stats()
  if (written === 2) return { detail: 'one chat row and one image row through the logger' }
  const reason = lastError ? `${lastError.message} (${lastError.reason})` : 'nobody says why'
  throw new StepFailure(`${written} of 2 rows were written: ${reason}`, 'mend that, and run this again')
}

async function compareRows(pool) {
  const { rows } = await pool.query(
    `select user_email, model_name, input_tokens, output_tokens, request_type, session_id,
       trim_scale(cost_estimate)::text as cost_estimate, timestamp
     from token_usage_logs where user_email = $1 order by request_type`,
    [userEmail],
  )
  const common = { user_email: userEmail, model_name: shared.modelName, session_id: shared.sessionId, timestamp }
  const expected = [
    { ...common, request_type: 'chat', input_tokens: 1234, output_tokens: 567, cost_estimate: chat.costEstimate },
    { ...common, request_type: 'image', input_tokens: 1, output_tokens: 1, cost_estimate: null },
  ]
  const differences = expected.flatMap((row, index) =>
    Object.keys(row)
      .map((column) => ({ column, is: show(rows[index]?.[column]), should: show(row[column]) }))
      .filter(({ is, should }) => is !== should)
      .map(({ column, is, should }) => `${row.request_type} row: ${column} is ${is} instead of ${should}`),
  )
  if (rows.length !== 2) differences.unshift(`${rows.length} rows instead of 2`)
  if (differences.length > 0) throw new StepFailure(differences.join('; '), 'look for triggers or rules on the table')
  return { detail: 'both rows hold what was logged' }
}

async function removeRows(pool, isWritten) {
  const byHand = `remove the rows of ${userEmail} by hand`
  const { rowCount } = await pool
    .query('delete from token_usage_logs where user_email = $1', [userEmail])
    .catch(({ code }) => {
      throw new StepFailure(`the rows could not be removed (${code})`, byHand)
    })
  if (isWritten && rowCount !== 2) throw new StepFailure(`${rowCount} of 2 rows were removed`, byHand)
  return { detail: `${rowCount} rows of this test removed` }
}

function show(value) {
  return value instanceof Date ? value.toISOString() : String(value)
}

function finish(isFine, isEnabled) {
  if (!isFine) console.log('Something is left to do: see the lines that begin with FAIL.')
  else console.log(isEnabled ? 'Token logging works here.' : 'Token logging would work here, but it is off.')
  return isFine
}

/** Of another's error only the code is shown; its text may hold an address or values. */
function explain(error) {
  if (error.code?.startsWith('TOKENLEDGER_')) return `${error.message}. Next: correct it, and run this again`
  const nextStep = connectionHints[error.code] ?? 'look that up in the manual of PostgreSQL or Node.js'
  return `it failed with ${error.code ?? error.message}. Next: ${nextStep}`
}

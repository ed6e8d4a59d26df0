import { once } from 'node:events'
import { Readable } from 'node:stream'
import { pipeline } from 'node:stream/promises'
import pg from 'pg'
import { from as copyFrom, to as copyTo } from 'pg-copy-streams'
import { createUsageLogger } from '../../src/index.js'
import { median, type Row } from './report.js'

const rows = 50_000
const batch = 5000
const rounds = 7
const columns =
  'event_id, timestamp, user_email, model_name, input_tokens, output_tokens, request_type, session_id, provider, status, usage_source'
const columnCount = columns.split(',').length

type Way = { readonly name: string; readonly isWithSums: boolean; readonly write: () => Promise<void> }

/** Rows a second into a migrated table by one connection, beside a binary COPY of the same rows into the same table. */
export async function benchRowsPerSecond(connectionString: string): Promise<Row[]> {
  const client = new pg.Client({ connectionString })
  await client.connect()
  const sample = await makeSample(client, connectionString)
  const ways: readonly Way[] = [
    { name: 'binary COPY, sums off', isWithSums: false, write: () => copyIn(client, sample.binary) },
    {
      name: 'usage.log() to the acknowledged commit, sums off',
      isWithSums: false,
      write: () => logAll(connectionString),
    },
    {
      name: 'multi-row INSERT through pg, sums off',
      isWithSums: false,
      write: () => insertValues(client, sample.values),
    },
    { name: 'binary COPY, sums on', isWithSums: true, write: () => copyIn(client, sample.binary) },
    {
      name: 'usage.log() to the acknowledged commit, sums on',
      isWithSums: true,
      write: () => logAll(connectionString),
    },
    {
      name: 'multi-row INSERT through pg, sums on',
      isWithSums: true,
      write: () => insertValues(client, sample.values),
    },
  ]
  const seconds = new Map<string, number[]>(ways.map(({ name }) => [name, []]))
  for (let round = 0; round < rounds; round++) {
    for (const way of ways) seconds.get(way.name)?.push(await timeOf(client, way))
  }
  await client.end()
  const base = median(seconds.get('binary COPY, sums off') ?? [])
  return ways.map(({ name }) => {
    const time = median(seconds.get(name) ?? [])
    return {
      what: name,
      figure: `${Math.round(rows / time).toLocaleString('en')} rows/s`,
      ratio: (base / time).toFixed(2),
    }
  })
}

async function timeOf(client: pg.Client, way: Way): Promise<number> {
  await client.query('truncate token_usage_logs')
  await client.query(`alter table token_usage_logs ${way.isWithSums ? 'enable' : 'disable'} trigger user`)
  await client.query('checkpoint')
  const start = performance.now()
  await way.write()
  const seconds = (performance.now() - start) / 1000
  const { rows: counted } = await client.query('select count(*)::int as written from token_usage_logs')
  if (counted[0].written !== rows) throw new Error(`${way.name} wrote ${counted[0].written} of ${rows} rows`)
  return seconds
}

// What our own writer stored is what the others write as well: the same rows, users and models.
async function makeSample(client: pg.Client, connectionString: string) {
  await logAll(connectionString)
  const binary: Buffer[] = []
  for (let offset = 0; offset < rows; offset += batch) {
    const query = `copy (select ${columns} from token_usage_logs order by event_id limit ${batch} offset ${offset}) to stdout (format binary)`
    const chunks: Buffer[] = []
    const stream = client.query(copyTo(query))
    stream.on('data', (chunk: Buffer) => chunks.push(chunk))
    await once(stream, 'end')
    binary.push(Buffer.concat(chunks))
  }
  const { rows: values } = await client.query({
    text: `select ${columns} from token_usage_logs order by event_id`,
    rowMode: 'array',
  })
  return { binary, values: values as unknown[][] }
}

async function logAll(connectionString: string): Promise<void> {
  const usage = createUsageLogger({
    enabled: true,
    databaseUrl: connectionString,
    maxBatchSize: batch,
    maxMemoryMb: 1024,
    logger: quiet,
  })
  for (let index = 0; index < rows; index++) {
    usage.log({
      modelName: `model-${index % 20}`,
      inputTokens: index % 3000,
      outputTokens: index % 700,
      userEmail: `user-${(index * 7919) % 1000}@example.com`,
      sessionId: `session-${index % 5000}`,
      provider: 'openai',
    })
  }
  await usage.flush()
  await usage.close()
}

async function copyIn(client: pg.Client, batches: readonly Buffer[]): Promise<void> {
  for (const data of batches) {
    await pipeline(
      Readable.from([data]),
      client.query(copyFrom(`copy token_usage_logs (${columns}) from stdin (format binary)`)),
    )
  }
}

async function insertValues(client: pg.Client, values: readonly unknown[][]): Promise<void> {
  for (let offset = 0; offset < values.length; offset += batch) {
    const part = values.slice(offset, offset + batch)
    const tuples = part.map(
      (_, row) => `(${Array.from({ length: columnCount }, (_, column) => `$${row * columnCount + column + 1}`)})`,
    )
    await client.query(
      `insert into token_usage_logs (${columns}) values ${tuples} on conflict (event_id) do nothing`,
      part.flat(),
    )
  }
}

const quiet = { info: () => {}, warn: () => {}, error: () => {} }

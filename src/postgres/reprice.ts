import { setTimeout as sleep } from 'node:timers/promises'
import type pg from 'pg'
import type { Pricer } from '../pricing/pricer.js'
import { formatPicoUsd } from '../usage/pico-usd.js'
import { toExportError } from './error-kind.js'
import {
  type ModelRows,
  type PageRequest,
  type Place,
  type RepriceRange,
  type RowCost,
  readModelRows,
  readOnlySumsBefore,
  readRepricePage,
  updateCosts,
} from './reprice-rows.js'
import {
  CostSums,
  isChanged,
  type PricedRow,
  type RepricedModel,
  RepriceTally,
  type RepriceTotal,
} from './reprice-tally.js'
import { inTransaction } from './transaction.js'

export type RepriceOptions = {
  readonly pricer: Pricer
  /** `count` by default, which changes nothing and says what would be changed. */
  readonly mode?: 'count' | 'change'
  /** Told how many rows there are to be priced, before the first of them. */
  readonly onStart?: (rows: number) => void
  /** Told how many rows more were priced. */
  readonly onRows?: (rows: number) => void
}

export type RepriceResult = {
  readonly models: readonly RepricedModel[]
  readonly total: RepriceTotal
  /** Calls whose cost the provider reported or the application entered, and its sum in US dollars: they keep it. */
  readonly kept: { readonly calls: number; readonly cost: string }
  /**
   * The first day that has rows (`2026-08-28`), where earlier days of the range have sums that outlived theirs: those stay as
   * they were priced. Null where there are none.
   */
  readonly onlySumsBefore: string | null
  /** Of `token_reprice_runs`; null where nothing was to be changed by this run. */
  readonly runId: number | null
}

const rowsPerChunk = 1000
const attempts = 5
const pauseMs = 200
// Another transaction was in the way, and has gone on.
const inTheWay: ReadonlySet<string> = new Set(['40001', '40P01', '55P03'])

const beginReading = 'begin read only; set local statement_timeout = 0'
const beginChanging = `begin isolation level read committed read write;
  set local statement_timeout = '60s'; set local lock_timeout = '5s'`

const noCost: RowCost = { total: null, input: null, output: null, other: null, source: null }

const insertRun = `
  insert into token_reprice_runs (since, until, model_name)
  values ($1, $2, $3)
  returning id::float8 as id`

const updateRun = `
  update token_reprice_runs
  set
    rows_read = rows_read + $2,
    rows_changed = rows_changed + $3,
    old_cost = old_cost + $4::numeric * 0.000000000001,
    new_cost = new_cost + $5::numeric * 0.000000000001,
    old_unpriced = old_unpriced + $6,
    new_unpriced = new_unpriced + $7
  where id = $1`

/**
 * Prices the rows of a range anew, each at its own time. Costs that a provider reported or an application entered stay.
 * Rows are changed a thousand at a time, each thousand together with its part of the run's row in `token_reprice_runs`:
 * whatever ends the process, the next run changes what is left. Where nothing has to be changed nothing is.
 */
export async function reprice(pool: pg.Pool, range: RepriceRange, options: RepriceOptions): Promise<RepriceResult> {
  const { pricer, mode, onStart, onRows } = options
  const { models, onlySumsBefore } = await inTransaction(pool, beginReading, async (client) => ({
    models: await readModelRows(client, range),
    onlySumsBefore: await readOnlySumsBefore(client, range),
  }))
  const rowsInAll = models.reduce((sum, { rows }) => sum + rows, 0)
  onStart?.(rowsInAll)
  const runId = mode === 'change' && rowsInAll > 0 ? await startRun(pool, range) : null
  const tally = new RepriceTally()
  for (const { modelName } of models) {
    for await (const rows of repriceModel(pool, { ...range, modelName }, { pricer, runId })) {
      tally.add(rows)
      onRows?.(rows.length)
    }
  }
  if (runId !== null) await pool.query('update token_reprice_runs set finished_at = now() where id = $1', [runId])
  return { models: tally.models(), total: tally.total(), kept: sumKept(models), onlySumsBefore, runId }
}

/** Somebody changed rows of a chunk after they were read: it is read again. */
class RowsChanged extends Error {
  override readonly message = 'Rows were changed while they were priced. Run it again: it does the rest.'
}

type PricedPage = { readonly priced: readonly PricedRow[]; readonly last: Place | undefined }
type Run = { readonly pricer: Pricer; readonly runId: number | null }

async function startRun(pool: pg.Pool, { since, until, modelName }: RepriceRange): Promise<number> {
  const { rows } = await pool.query<{ id: number }>(insertRun, [since, until, modelName ?? null])
  return rows[0]?.id ?? 0
}

async function* repriceModel(
  pool: pg.Pool,
  { modelName, since, until }: RepriceRange & { readonly modelName: string },
  { pricer, runId }: Run,
): AsyncGenerator<readonly PricedRow[]> {
  let after: Place | undefined = { at: since }
  while (after !== undefined) {
    const chunk = { modelName, after, until, limit: rowsPerChunk }
    const page: PricedPage = await withRetries((attempt) =>
      inTransaction(pool, runId === null ? beginReading : beginChanging, async (client) => {
        // Rows are locked only where somebody was at them: what keeps its cost is not to be written at all.
        const request: PageRequest = { ...chunk, mode: attempt > 1 && runId !== null ? 'lock' : 'read' }
        const { rows, last } = await readRepricePage(client, request)
        const priced = rows.map((row) => ({ ...row, newCost: pricer.price(row.call) ?? noCost }))
        if (runId !== null) await changeRows(client, priced, runId)
        return { priced, last }
      }),
    )
    yield page.priced
    after = page.last
  }
}

async function changeRows(client: pg.ClientBase, rows: readonly PricedRow[], runId: number): Promise<void> {
  const changed = rows.filter(isChanged)
  const written = changed.length > 0 ? await updateCosts(client, changed) : 0
  if (written < changed.length) throw new RowsChanged()
  const sums = new CostSums()
  for (const row of rows) sums.add(row)
  const { calls, oldCost, newCost, oldUnpriced, newUnpriced } = sums
  const costs = [String(oldCost), String(newCost)]
  await client.query(updateRun, [runId, calls, sums.changed, ...costs, oldUnpriced, newUnpriced])
}

async function withRetries<T>(work: (attempt: number) => Promise<T>): Promise<T> {
  for (let attempt = 1; ; attempt += 1) {
    try {
      return await work(attempt)
    } catch (error) {
      const isAboutRows = error instanceof RowsChanged
      if (attempt === attempts || !(isAboutRows || inTheWay.has(toExportError(error).reason))) throw error
      if (!isAboutRows) await sleep(attempt * pauseMs)
    }
  }
}

function sumKept(models: readonly ModelRows[]): RepriceResult['kept'] {
  const calls = models.reduce((sum, { keptRows }) => sum + keptRows, 0)
  const picoUsd = models.reduce((sum, { keptPicoUsd }) => sum + keptPicoUsd, 0n)
  // Another program may have entered what it likes.
  const sign = picoUsd < 0n ? '-' : ''
  return { calls, cost: `${sign}${formatPicoUsd(picoUsd < 0n ? -picoUsd : picoUsd)}` }
}

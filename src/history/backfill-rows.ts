import type { ClientBase } from 'pg'
import { estimateTokens, loadTokenizer } from '../usage/estimate-tokens.js'
import type { BackfillOptions, BackfillTable } from './backfill-table.js'
import { tokensByCharacters } from './tokens-by-characters.js'

/** A row that needs a count, and what it comes to. Lengths are in characters. */
export type EstimatedRow = {
  readonly id: string
  readonly user: string | null
  readonly model: string | null
  /** Milliseconds since 1970; null where it is none of 2000 to 2199, and undefined where no time was asked for. */
  readonly time?: number | null
  readonly promptLength: number
  /** One for each response that is not empty. */
  readonly responseLengths: readonly number[]
  readonly promptTokens: number
  readonly responseTokens: number
}

export type BackfillMethod = NonNullable<BackfillOptions['method']>

/** The texts are read only where a tokenizer counts them. */
type FoundRow = Omit<EstimatedRow, 'promptTokens' | 'responseTokens'> & {
  readonly promptText?: string
  readonly responseTexts?: readonly string[]
}

export type RowQuery = {
  readonly found: BackfillTable
  readonly method: BackfillMethod
  /** The model of rows that have none. */
  readonly model?: string
  readonly withTime: boolean
}

const cursor = 'tokenledger_backfill'

/** `tokenizer` only where it was asked for and gpt-tokenizer is installed, which is loaded then. */
export async function chooseMethod(wanted: BackfillMethod = 'chars'): Promise<BackfillMethod> {
  if (wanted === 'chars') return 'chars'
  const loaded = await Promise.all([loadTokenizer('o200k_base'), loadTokenizer('cl100k_base')])
  return loaded.every(Boolean) ? 'tokenizer' : 'chars'
}

/** How many rows need a count. */
export async function countRows(client: ClientBase, query: RowQuery): Promise<number> {
  const { rows } = await client.query<{ count: number }>(
    `select count(*)::float8 as count ${fromRows({ ...query, method: 'chars' })}`,
  )
  return rows[0]?.count ?? 0
}

/** Rows that need a count, with their estimates, the newest first, in pages of `pageSize`: one page is in memory. */
export async function* readRows(
  client: ClientBase,
  query: RowQuery,
  pageSize: number,
): AsyncGenerator<readonly EstimatedRow[]> {
  await client.query(`declare ${cursor} no scroll cursor for ${selectRows(query)}`)
  for (;;) {
    const { rows } = await client.query<FoundRow>(`fetch ${pageSize} from ${cursor}`)
    if (rows.length === 0) break
    yield rows.map((row) => estimate(row, query))
  }
  await client.query(`close ${cursor}`)
}

function estimate({ promptText, responseTexts, ...row }: FoundRow, { method, model }: RowQuery): EstimatedRow {
  const modelName = row.model ?? model
  const byTokenizer = (text: string) => estimateTokens(text, modelName)
  const promptTokens = method === 'chars' ? tokensByCharacters(row.promptLength) : byTokenizer(promptText ?? '')
  const perResponse =
    method === 'chars' ? row.responseLengths.map(tokensByCharacters) : (responseTexts ?? []).map(byTokenizer)
  return { ...row, model: modelName ?? null, promptTokens, responseTokens: perResponse.reduce((sum, n) => sum + n, 0) }
}

function selectRows(query: RowQuery): string {
  const { id, time, user, model, prompt } = query.found
  const text = `coalesce(prompts.${prompt.sql}::text, '')`
  const columns = [
    `prompts.${id.sql}::text as id`,
    `${user ? `prompts.${user.sql}::text` : 'null'} as user`,
    `${model ? `nullif(prompts.${model.sql}::text, '')` : 'null'} as model`,
    `char_length(${text}) as "promptLength"`,
    `coalesce(responses.lengths, '{}') as "responseLengths"`,
    ...(query.withTime ? [`${millisecondsOf(`prompts.${time.sql}::timestamptz`)} as time`] : []),
    ...(query.method === 'tokenizer'
      ? [`${text} as "promptText"`, `coalesce(responses.texts, '{}') as "responseTexts"`]
      : []),
  ]
  return `select ${columns.join(', ')} ${fromRows(query)}
    order by prompts.${time.sql} desc nulls last, prompts.${id.sql} desc`
}

// A time that no row of the log may have (1970, where nothing was filled in) would become that of now.
function millisecondsOf(time: string): string {
  return `case when ${time} >= '2000-01-01' and ${time} < '2200-01-01' then (extract(epoch from ${time}) * 1000)::float8 end`
}

function fromRows({ found, method }: RowQuery): string {
  const { table, prompt, tokens } = found
  const needsCount = tokens ? `coalesce(prompts.${tokens.sql}, 0) = 0 and ` : ''
  return `from ${table.sql} as prompts
    left join ${responsesOf(found, method)}
    where ${needsCount}(coalesce(prompts.${prompt.sql}::text, '') <> '' or responses.lengths is not null)`
}

// The ids of both sides are compared as texts: a uuid and its text, an integer and a bigint are the same.
function responsesOf({ id, responses }: BackfillTable, method: BackfillMethod): string {
  if (responses === undefined) {
    return `(select null::int[] as lengths, null::text[] as texts) as responses on false`
  }
  const { table, column, key } = responses
  if (table === undefined || key === undefined) {
    const text = `prompts.${column.sql}::text`
    return `lateral (select array[char_length(${text})] as lengths, array[${text}] as texts where ${text} <> '') as responses on true`
  }
  const text = `${column.sql}::text`
  const texts = method === 'tokenizer' ? `, array_agg(${text}) as texts` : ''
  return `(
      select ${key.sql}::text as key, array_agg(char_length(${text})) as lengths${texts}
      from ${table.sql}
      where ${text} <> ''
      group by 1
    ) as responses on responses.key = prompts.${id.sql}::text`
}

import { TokenLedgerError } from '../errors.js'

/** A line of a source with its fields by our names, or with the reason why it cannot be read. */
export type ImportLine = {
  /** From 1, the header included. Of a table it is the place of the row in what was read. */
  readonly line: number
  /** As it was read, for whoever is to correct it; of a table the key of the row. */
  readonly text: string
  readonly fields?: ImportFields
  readonly reason?: string
}

/** Column of the source to field of ours: `{ who: 'userEmail' }`. */
export type ColumnMap = Readonly<Record<string, string>>

export type ImportFields = { readonly [field in ImportField]?: unknown }
export type ImportField = (typeof importFields)[number]

/** The longest line that is read, in characters. */
export const longestLine = 1_048_576

export const importFields = [
  'eventId',
  'idempotencyKey',
  'timestamp',
  'userEmail',
  'modelName',
  'inputTokens',
  'outputTokens',
  'requestType',
  'sessionId',
  'costEstimate',
  'costSource',
  'provider',
  'operation',
  'operationId',
  'project',
  'cacheReadTokens',
  'cacheWriteTokens',
  'reasoningTokens',
  'status',
  'usageSource',
  'responseId',
  'durationMs',
  'timeToFirstChunkMs',
  'metadata',
] as const

/** Fields without which a line is no call. */
export const requiredFields: readonly ImportField[] = ['timestamp', 'modelName', 'inputTokens', 'outputTokens']

const known: ReadonlySet<string> = new Set(importFields)

/**
 * Which field each column is: what the map says, else its own name in snake_case or camelCase. Undefined for columns that
 * are left out. Throws a `TokenLedgerError` for a map to a field that there is not.
 */
export function fieldsOfColumns(columns: readonly string[], map: ColumnMap): (ImportField | undefined)[] {
  const mapped = new Set(Object.values(map).map(toField))
  return columns.map((column) => {
    if (Object.hasOwn(map, column)) return toField(map[column] ?? '')
    const name = camelCase(column)
    return isField(name) && !mapped.has(name) ? name : undefined
  })
}

function toField(name: string): ImportField {
  const field = camelCase(name)
  if (isField(field)) return field
  throw new TokenLedgerError(
    'TOKENLEDGER_NOT_FOUND',
    `There is no field ${JSON.stringify(name)} to import to. The fields are ${importFields.join(', ')}.`,
  )
}

function isField(name: string): name is ImportField {
  return known.has(name)
}

function camelCase(name: string): string {
  return name.trim().replace(/_([a-z])/g, (_, letter: string) => letter.toUpperCase())
}

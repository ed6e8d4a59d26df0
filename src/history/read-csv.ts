import type { Readable } from 'node:stream'
import { type CsvError, parse } from 'csv-parse'
import { TokenLedgerError } from '../errors.js'
import {
  type ColumnMap,
  fieldsOfColumns,
  type ImportField,
  type ImportLine,
  longestLine,
  requiredFields,
} from './import-line.js'

type ParsedRecord = {
  readonly record: readonly string[]
  readonly raw: string
  readonly info: { readonly lines: number }
}

// They wait in memory until a record comes that can be read.
const mostSkipped = 10_000
const notCsv = `${mostSkipped} records in a row are no CSV. The fields have to be separated by commas, and quoted by ".`

/**
 * Records of a CSV file with a header (RFC 4180, also with a byte order mark). Throws a `TokenLedgerError` where the header
 * lacks a column that every call has. A record that is no CSV, or of another length, has a reason instead of fields.
 */
export async function* readCsv(input: Readable, map: ColumnMap = {}): AsyncGenerator<ImportLine> {
  const skipped: ImportLine[] = []
  const parser = parse({
    bom: true,
    info: true,
    raw: true,
    skip_empty_lines: true,
    relax_column_count: true,
    skip_records_with_error: true,
    max_record_size: longestLine,
    on_skip: (error, raw) => {
      skipped.push(skippedLine(error, raw))
      if (skipped.length > mostSkipped) parser.destroy(new TokenLedgerError('TOKENLEDGER_REFUSED', notCsv))
      return undefined
    },
  })
  input.on('error', (error) => parser.destroy(error))
  let columns: (ImportField | undefined)[] | undefined
  for await (const parsed of input.pipe(parser) as AsyncIterable<ParsedRecord>) {
    yield* skipped.splice(0)
    if (columns === undefined) columns = columnsOf(parsed.record, map)
    else yield lineOf(parsed, columns)
  }
  yield* skipped.splice(0)
}

function columnsOf(header: readonly string[], map: ColumnMap): (ImportField | undefined)[] {
  const columns = fieldsOfColumns(header, map)
  const absent = Object.keys(map).filter((column) => !header.includes(column))
  const missing = requiredFields.filter((field) => !columns.includes(field))
  if (missing.length > 0 || absent.length > 0) {
    const what = absent.length > 0 ? absent.join(' and ') : `for ${missing.join(' and ')}`
    throw new TokenLedgerError(
      'TOKENLEDGER_NOT_FOUND',
      `The CSV has no column ${what}. It has ${header.join(', ')}; --map column=field says which is which.`,
    )
  }
  return columns
}

function lineOf({ record, raw, info }: ParsedRecord, columns: readonly (ImportField | undefined)[]): ImportLine {
  const line = { line: info.lines, text: withoutBreaks(raw) }
  if (record.length !== columns.length) {
    return { ...line, reason: `it has ${record.length} columns and the header ${columns.length}` }
  }
  return { ...line, fields: Object.fromEntries(columns.flatMap((field, i) => (field ? [[field, record[i]]] : []))) }
}

function skippedLine(error: CsvError | undefined, raw: string | undefined): ImportLine {
  const { code, lines } = Object(error) as { code?: string; lines?: number }
  return { line: lines ?? 0, text: withoutBreaks(raw ?? ''), reason: `it is no CSV (${code ?? 'unknown'})` }
}

function withoutBreaks(raw: string): string {
  return raw.replace(/^[\r\n]+|[\r\n]+$/g, '')
}

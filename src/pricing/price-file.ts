import { CsvError, parse } from 'csv-parse/sync'
import { TokenLedgerError } from '../errors.js'
import { type PriceFields, parsePrice } from './parse-price.js'
import type { TokenPrice } from './token-price.js'

/** The prices of a file, and where each stands in it: `line 2`, or `entry 1` of JSON. */
export type PriceFile = { readonly prices: readonly TokenPrice[]; readonly places: readonly string[] }

export type PriceFileFormat = 'csv' | 'json'

type Entry = { readonly place: string; readonly fields: PriceFields }
type CsvRow = { readonly record: PriceFields; readonly info: { readonly lines: number } }

const mostReasons = 20

/**
 * Reads a file of prices: CSV with a line of column names, or a JSON array of objects; both have the columns of
 * `token_prices`. Throws a `TokenLedgerError` that names every wrong line and its reason.
 */
export function readPriceFile(text: string, format: PriceFileFormat): PriceFile {
  const entries = format === 'csv' ? readCsv(text) : readJson(text)
  const parsed = entries.map(({ place, fields }) => ({ place, ...parsePrice(fields) }))
  refuse(parsed.flatMap((one) => ('problems' in one ? one.problems.map((problem) => `${one.place}: ${problem}`) : [])))
  if (parsed.length === 0) refuse(['there is no price in it'])
  return {
    prices: parsed.flatMap((one) => ('price' in one ? [one.price] : [])),
    places: parsed.map(({ place }) => place),
  }
}

/** Throws, with the reasons, unless there are none. */
export function refuse(reasons: readonly string[]): void {
  if (reasons.length === 0) return
  const more = reasons.length - mostReasons
  const lines = [...reasons.slice(0, mostReasons), ...(more > 0 ? [`and ${more} more`] : [])]
  throw new TokenLedgerError(
    'TOKENLEDGER_PRICES',
    `Nothing was entered:\n${lines.map((line) => `  ${line}`).join('\n')}`,
  )
}

function readCsv(text: string): Entry[] {
  try {
    const rows = parse(text, {
      columns: checkNames,
      info: true,
      bom: true,
      trim: true,
      skip_empty_lines: true,
    }) as unknown as CsvRow[]
    return rows.map(({ record, info }) => ({ place: `line ${info.lines}`, fields: record }))
  } catch (error) {
    if (!(error instanceof CsvError)) throw error
    refuse([`line ${error.lines}: ${error.message}`])
    return []
  }
}

function checkNames(names: readonly string[]): string[] {
  const twice = names.find((name, index) => names.indexOf(name) !== index)
  if (twice !== undefined) refuse([`line 1: it names a column twice: ${twice}`])
  return [...names]
}

function readJson(text: string): Entry[] {
  const document = parseJson(text)
  if (!Array.isArray(document)) refuse(['it has to be an array of objects'])
  return (document as unknown[]).map((fields, index) => {
    const place = `entry ${index + 1}`
    if (typeof fields !== 'object' || fields === null) refuse([`${place}: it has to be an object`])
    return { place, fields: fields as PriceFields }
  })
}

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text)
  } catch (error) {
    refuse([`it is not JSON: ${error instanceof Error ? error.message : error}`])
    return undefined
  }
}

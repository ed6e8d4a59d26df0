import { parse } from 'csv-parse/sync'
import { stringify } from 'csv-stringify/sync'
import fc from 'fast-check'
import { expect, it } from 'vitest'
import { CsvExport } from '../../src/history/format-export.js'
import { spreadsheetCsv, toSpreadsheetText } from '../../src/usage/spreadsheet-text.js'

const pieces = [...'=+-@＝＋－＠;,\t\r\n\0 "\'|a1', '\u200b', '\u00a0', '=1+1', "=cmd|'/c calc'!A0"]
const texts = fc.string({ unit: fc.constantFrom(...pieces), maxLength: 12 })

function exported(row: readonly string[]): string {
  const columns = row.map((_, index) => ({ name: `c${index}`, kind: 'text' as const }))
  const page = { table: 'token_usage_logs', columns, allColumns: columns.map(({ name }) => name), rows: [row] } as const
  return new CsvExport().textOf(page)
}

const writers = [
  ['of calls and reports', (row: readonly string[]) => stringify([row], spreadsheetCsv)],
  ['of a user', exported],
] as const

it.each(writers)('a file %s has no formula, whether cells end at a comma, a semicolon or a tab', (_of, write) => {
  fc.assert(
    fc.property(fc.array(texts, { minLength: 1, maxLength: 3 }), (row) => {
      const csv = write(row)

      // Of a reader of semicolons or tabs no quote that stands in the middle of its cell keeps the rest together.
      const cells = [...parse(csv, { relax_column_count: true }).flat(), ...csv.split(/[;\t\r\n]/)]
      expect(cells.filter((cell) => /^[\s\0\p{Cf}"]*[=+\-@＝＋－＠]/u.test(cell))).toEqual([])
    }),
    { numRuns: 500 },
  )
})

it.each(writers)('a file %s has the same cells for a reader that takes all three', (_of, write) => {
  fc.assert(
    fc.property(fc.array(texts, { minLength: 2, maxLength: 3 }), (row) => {
      const csv = write(row)

      expect(parse(csv, { delimiter: [',', ';', '\t'] })).toEqual(parse(csv))
    }),
    { numRuns: 500 },
  )
})

it.each([
  ['gpt-4o', 'gpt-4o'],
  ['a, -b; c=d', 'a, -b; c=d'],
  [' =1', "' =1"],
  ['\t=1', "'\t'=1"],
  ['a;=1', "a;'=1"],
  ['a\n"\u200b-1', 'a\n"\u200b\'-1'],
])('%j is written %j', (text, cell) => {
  expect(toSpreadsheetText(text)).toBe(cell)
})

it('takes no longer than a moment for a text of many blanks', () => {
  const text = ' "\u200b '.repeat(10_000)

  expect(toSpreadsheetText(`a${text}`)).toBe(`a${text}`)
})

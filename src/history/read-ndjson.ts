import { type ColumnMap, fieldsOfColumns, type ImportLine, longestLine } from './import-line.js'

/** Lines of JSON objects, as they come. What is no JSON object, or longer than a megabyte, has a reason instead of fields. */
export async function* readNdjson(input: AsyncIterable<Uint8Array>, map: ColumnMap = {}): AsyncGenerator<ImportLine> {
  fieldsOfColumns([], map)
  let line = 0
  for await (const text of splitLines(input)) {
    line += 1
    if (text === undefined) yield { line, text: '', reason: `it is longer than ${longestLine} characters` }
    else if (text.trim() !== '') yield parseLine(text, line, map)
  }
}

function parseLine(text: string, line: number, map: ColumnMap): ImportLine {
  const value = parseJson(text)
  if (typeof value !== 'object' || value === null || Array.isArray(value)) {
    return { line, text, reason: 'it is no JSON object' }
  }
  const columns = Object.keys(value)
  const fields = fieldsOfColumns(columns, map)
  const entries = fields.flatMap((field, i) =>
    field ? [[field, (value as Record<string, unknown>)[columns[i] ?? '']]] : [],
  )
  return { line, text, fields: Object.fromEntries(entries) }
}

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text)
  } catch {
    return undefined
  }
}

/** Undefined for a line that is too long to be kept in memory. */
async function* splitLines(input: AsyncIterable<Uint8Array>): AsyncGenerator<string | undefined> {
  const decoder = new TextDecoder()
  let rest = ''
  let isTooLong = false
  for await (const chunk of input) {
    const lines = (rest + decoder.decode(chunk, { stream: true })).split('\n')
    rest = lines.pop() ?? ''
    for (const line of lines) {
      yield isTooLong || line.length > longestLine ? undefined : line
      isTooLong = false
    }
    if (rest.length > longestLine) {
      isTooLong = true
      rest = ''
    }
  }
  rest += decoder.decode()
  if (isTooLong || rest !== '') yield isTooLong ? undefined : rest
}

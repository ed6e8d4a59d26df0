import pg from 'pg'
import { TokenLedgerError } from '../errors.js'

const maxBytes = 63

/** A name as SQL takes it, whatever is in it. Throws for one that PostgreSQL would cut or cannot have. */
export function quoteIdentifier(name: string): string {
  if (name === '' || name.includes('\0') || Buffer.byteLength(name) > maxBytes) {
    throw new TokenLedgerError(
      'TOKENLEDGER_NAME',
      `${JSON.stringify(name)} cannot be a name: PostgreSQL takes 1 to ${maxBytes} bytes.`,
    )
  }
  return pg.escapeIdentifier(name)
}

/** A text as SQL takes it. */
export function quoteLiteral(text: string): string {
  return pg.escapeLiteral(text)
}

/** A name with the schema it is looked for in; without one, in those of the search path. */
export type NameReading = { readonly schema?: string; readonly name: string }

const part = '("(?:[^"]|"")+"|[^".]+)'
const qualified = new RegExp(`^(?:${part}\\.)?${part}$`)

/**
 * What a name that a person wrote may mean, the likeliest first: exactly what it says, then as SQL reads it, with quotes
 * and a schema, and at last in lower case where it has no quotes.
 */
export function readingsOfName(written: string): NameReading[] {
  const [, schema, name = ''] = qualified.exec(written) ?? []
  if (name === '') return [{ name: written }]
  const as = (fold: (text: string) => string): NameReading => ({
    ...(schema === undefined ? {} : { schema: unquote(schema, fold) }),
    name: unquote(name, fold),
  })
  return [{ name: written }, as((text) => text), as((text) => text.toLowerCase())]
}

function unquote(text: string, fold: (text: string) => string): string {
  return text.startsWith('"') ? text.slice(1, -1).replaceAll('""', '"') : fold(text)
}

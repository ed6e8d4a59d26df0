import { TokenLedgerError } from '../errors.js'

// What PostgreSQL says with these codes holds names and types, never values of rows.
const meanings: Readonly<Record<string, (message: string, detail: string) => string>> = {
  '42501': (message) =>
    `The database user may not do this: ${message}. Grant it, or connect as the owner of the table.`,
  '2BP01': (message, detail) => `${message}: ${detail}. Change or drop what depends on it first.`,
  '55P03': () => 'The table stays locked by another program. Run it again when that has ended.',
  '40P01': () => 'Another transaction was in the way. Run it again.',
  '40001': () => 'Another transaction was in the way. Run it again.',
  '22003': () => 'A number does not fit its column. Give the column a wider type, such as bigint.',
  '23502': (message) => `${message}. Fill it first.`,
  '42804': (message) => `The types of the columns do not fit each other: ${message}.`,
  '42846': (message) => `The types of the columns do not fit each other: ${message}.`,
  '42883': (message) => `The types of the columns do not fit each other: ${message}.`,
}

/** Runs `work`; what the database refuses about the tables of the user is thrown as a sentence for a person. */
export async function explainRefusals<T>(work: () => Promise<T>): Promise<T> {
  try {
    return await work()
  } catch (error) {
    const { code, message, detail } = Object(error) as { code?: unknown; message?: unknown; detail?: unknown }
    const meaning = typeof code === 'string' ? meanings[code] : undefined
    if (meaning === undefined || error instanceof TokenLedgerError) throw error
    const sentence = meaning(String(message), String(detail ?? '').replaceAll('\n', '; '))
    throw new TokenLedgerError('TOKENLEDGER_REFUSED', `${sentence} Nothing was changed.`)
  }
}

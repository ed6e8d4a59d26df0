/** What a failed read of the database means for who asked. Of the error only its code is used: its text may hold values of rows or the server's address. */
export function explainReadError(error: unknown): string {
  const { code } = Object(error) as { code?: unknown }
  if (code === '42P01' || code === '42703')
    return 'the usage tables are missing or out of date: run tokenledger migrate'
  if (code === '57014') return 'the report took too long and was stopped: ask for fewer days'
  return 'the database does not answer at the moment: try again later'
}

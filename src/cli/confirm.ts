import { createInterface } from 'node:readline'
import { TokenLedgerError } from '../errors.js'

/**
 * Asks on stderr and waits for `yes` or `y` from the terminal; anything else, and the end of the input, is no. With
 * `yes` it does not ask. Without a terminal it throws a `TokenLedgerError` that names the flag `--yes`.
 */
export async function confirm(question: string, { yes }: { readonly yes?: boolean }): Promise<boolean> {
  if (yes) return true
  if (!process.stdin.isTTY) {
    throw new TokenLedgerError(
      'TOKENLEDGER_CONFIRMATION',
      'This asks before it changes anything, and there is no terminal to ask. With --yes it does not ask. Nothing was changed.',
    )
  }
  const lines = createInterface({ input: process.stdin, output: process.stderr })
  try {
    const answer = await new Promise<string>((resolve) => {
      lines.once('close', () => resolve('no'))
      lines.question(`${question} (yes/no) `, resolve)
    })
    return /^\s*y(es)?\s*$/i.test(answer)
  } finally {
    lines.close()
  }
}

import { createInterface } from 'node:readline/promises'
import { TokenLedgerError } from '../errors.js'

/**
 * Asks on stderr and resolves to true for "yes" only. `yes` answers before anybody is asked; where nobody can be asked,
 * without a terminal, it throws and names the flag.
 */
export async function confirm(question: string, { yes }: { readonly yes?: boolean | undefined }): Promise<boolean> {
  if (yes) return true
  if (!process.stdin.isTTY) {
    throw new TokenLedgerError(
      'TOKENLEDGER_UNCONFIRMED',
      `Nobody can be asked here: ${question} Add --yes to say so; nothing was changed.`,
    )
  }
  const terminal = createInterface({ input: process.stdin, output: process.stderr })
  try {
    const closed = new Promise<string>((resolve) => terminal.once('close', () => resolve('')))
    const answer = await Promise.race([terminal.question(`${question} (yes/no) `), closed])
    return answer.trim().toLowerCase() === 'yes'
  } finally {
    terminal.close()
  }
}

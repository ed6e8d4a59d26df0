import { TokenLedgerError } from '../errors.js'

/** What a framing throws at a message that is longer than anything but content can be. */
export function answerTooLong(what: string): TokenLedgerError {
  return new TokenLedgerError('TOKENLEDGER_ANSWER_TOO_LONG', `the ${what} is too long to be read for its usage`)
}

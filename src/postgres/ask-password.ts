import { ExportError } from '../errors.js'

/** Tells the password of the database user: asked at each new connection, so that it may change. */
export type PasswordSource = () => string | Promise<string>

/** The part of a `pg.Client` that is used here. */
interface ConnectingClient {
  end(): Promise<void>
}

// Less than a pool waits for a connection.
const longestWaitMs = 4000

/**
 * The same source for a client of pg, which calls it: what it gives is a text, soon, or an `ExportError` whose message is
 * ours. The words of an error of the source go no further, for they may hold a secret.
 */
export function askPassword(source: PasswordSource): (this: ConnectingClient) => Promise<string> {
  return async function askFor(this: ConnectingClient) {
    try {
      return await ask(source)
    } catch (error) {
      // The driver leaves the connection open, and the server waits a minute for the password.
      void this.end().catch(() => {})
      throw error instanceof ExportError ? error : failure('failed')
    }
  }
}

async function ask(source: PasswordSource): Promise<string> {
  let timer: NodeJS.Timeout | undefined
  const timeout = new Promise<never>((_, reject) => {
    timer = setTimeout(() => reject(failure(`did not answer within ${longestWaitMs / 1000} s`)), longestWaitMs).unref()
  })
  try {
    const password: unknown = await Promise.race([Promise.resolve().then(source), timeout])
    if (typeof password !== 'string' || password === '') throw failure('gave no text')
    return password
  } finally {
    clearTimeout(timer)
  }
}

function failure(what: string): ExportError {
  return new ExportError('passing', 'password', `the function that is to tell the password ${what} (password)`)
}

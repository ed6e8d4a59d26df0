import { useEffect, useRef, useState } from 'preact/hooks'
import { addressOf } from './api.js'

export type SignInProps = {
  /** Somebody was signed in before. */
  readonly hasEnded: boolean
  readonly onSignedIn: () => void
}

/** Asks for a token. Where the page is part of another app, which knows its users itself, there is nothing to type. */
export function SignIn({ hasEnded, onSignedIn }: SignInProps) {
  const [message, setMessage] = useState(hasEnded ? 'The session has ended.' : '')
  const field = useRef<HTMLInputElement>(null)
  useEffect(() => field.current?.focus(), [])
  const signIn = async (event: SubmitEvent) => {
    event.preventDefault()
    const token = new FormData(event.currentTarget as HTMLFormElement).get('token')
    const problem = await beginSession(String(token))
    if (problem === undefined) onSignedIn()
    else setMessage(problem)
  }
  return (
    <main class="state panel">
      <h1>Sign in</h1>
      <form onSubmit={signIn}>
        <label>
          Token
          <input ref={field} name="token" type="password" autocomplete="current-password" required />
        </label>
        <button type="submit">Sign in</button>
      </form>
      <p role="alert">{message}</p>
      <p>
        The admin token is TOKENLEDGER_ADMIN_TOKEN, or was printed at the first start. Users get one from an admin:{' '}
        <code>tokenledger user-token --user ann@example.com</code>
      </p>
    </main>
  )
}

async function beginSession(token: string): Promise<string | undefined> {
  const request = {
    method: 'POST',
    headers: { 'Content-Type': 'application/json' },
    body: JSON.stringify({ token: token.trim() }),
  }
  try {
    const response = await fetch(addressOf('api/session'), request)
    if (response.ok) return undefined
    if (response.status === 404) return 'Here the app around this page says who you are: sign in there.'
    return 'This token is not known, or has expired.'
  } catch {
    return 'The server does not answer.'
  }
}

import { useState } from 'preact/hooks'
import { addressOf } from './api.js'

/** Ends the session, for which the server is needed: no script can remove its cookie. */
export function SignOutButton({ onSignedOut }: { readonly onSignedOut: () => void }) {
  const [problem, setProblem] = useState<string>()
  const signOut = async () => {
    const isEnded = await fetch(addressOf('api/session'), { method: 'DELETE' }).then(
      ({ ok }) => ok,
      () => false,
    )
    if (isEnded) onSignedOut()
    else setProblem('You are still signed in: the server does not answer.')
  }
  return (
    <>
      <span role="alert">{problem}</span>
      <button type="button" onClick={signOut}>
        Sign out
      </button>
    </>
  )
}

import express, { type Request, type Response, Router } from 'express'
import type { Viewer, ViewerTokens } from './viewer.js'

const cookieName = 'tokenledger_session'
const sessionMs = 12 * 60 * 60 * 1000

/** Who sent the request, by `Authorization: Bearer <token>` or by the cookie of a session; undefined for nobody. */
export function findRequestViewer(tokens: ViewerTokens, request: Request): Viewer | undefined {
  const bearer = findBearerToken(request)
  if (bearer !== undefined) return tokens.read(bearer)?.viewer
  const cookie = findCookie(request)
  const known = cookie === undefined ? undefined : tokens.read(cookie)
  return known && { ...known.viewer, hasSession: true }
}

/** The token of `Authorization: Bearer <token>`. */
export function findBearerToken(request: Request): string | undefined {
  return /^Bearer +(\S+) *$/i.exec(request.headers.authorization ?? '')?.[1]
}

/**
 * `POST /session` with `{"token": "..."}` begins a session of twelve hours, or of what is left of the token's time, and
 * `DELETE /session` ends it. Another site can send
 * neither: the body is JSON, and the cookie stays at home (SameSite=Strict).
 */
export function createSessionRouter(tokens: ViewerTokens): Router {
  const router = Router()
  router.post('/session', express.json({ limit: '4kb' }), (request, response) => {
    const token: unknown = request.body?.token
    const known = typeof token === 'string' ? tokens.read(token) : undefined
    if (known === undefined) {
      response
        .status(401)
        .json({ error: 'this token is not known, or has expired; send {"token": "..."} as application/json' })
      return
    }
    const session = { ...known, expiresAt: Math.min(known.expiresAt, Date.now() + sessionMs) }
    setCookie(request, response, { token: tokens.sign(session), expiresAt: session.expiresAt })
    response.json(known.viewer)
  })
  router.delete('/session', (_request, response) => {
    response.clearCookie(cookieName, { path: '/' }).status(204).end()
  })
  return router
}

function setCookie(request: Request, response: Response, session: { token: string; expiresAt: number }): void {
  response.cookie(cookieName, session.token, {
    httpOnly: true,
    sameSite: 'strict',
    // As the outermost proxy saw it. Whoever forges that header makes nothing but their own cookie stricter.
    secure: /^https\b/.test(request.get('X-Forwarded-Proto') ?? ''),
    path: '/',
    maxAge: session.expiresAt - Date.now(),
  })
}

function findCookie(request: Request): string | undefined {
  for (const cookie of (request.headers.cookie ?? '').split(';')) {
    const [name, value] = cookie.trim().split('=')
    if (name === cookieName) return value
  }
  return undefined
}

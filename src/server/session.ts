import express, { type Request, type Response, Router } from 'express'
import type { Viewer, ViewerTokens } from './viewer.js'

const cookieName = 'tokenledger_session'
const sessionMs = 12 * 60 * 60 * 1000

/** Who sent the request, by `Authorization: Bearer <token>` or by the cookie of a session; undefined for nobody. */
export function findRequestViewer(tokens: ViewerTokens, request: Request): Viewer | undefined {
  const token = findBearerToken(request) ?? findCookie(request)
  return token === undefined ? undefined : tokens.findViewer(token)
}

/** The token of `Authorization: Bearer <token>`. */
export function findBearerToken(request: Request): string | undefined {
  return /^Bearer +(\S+) *$/i.exec(request.headers.authorization ?? '')?.[1]
}

/**
 * `POST /session` with `{"token": "..."}` begins a session of twelve hours, `DELETE /session` ends it. Another site can send
 * neither: the body is JSON, and the cookie stays at home (SameSite=Strict).
 */
export function createSessionRouter(tokens: ViewerTokens): Router {
  const router = Router()
  router.post('/session', express.json({ limit: '4kb' }), (request, response) => {
    const token: unknown = request.body?.token
    const viewer = typeof token === 'string' ? tokens.findViewer(token) : undefined
    if (viewer === undefined) {
      response
        .status(401)
        .json({ error: 'this token is not known, or has expired; send {"token": "..."} as application/json' })
      return
    }
    setCookie(request, response, tokens.sign(viewer, Date.now() + sessionMs))
    response.json(viewer)
  })
  router.delete('/session', (_request, response) => {
    response.clearCookie(cookieName, { path: '/' }).status(204).end()
  })
  return router
}

function setCookie(request: Request, response: Response, token: string): void {
  response.cookie(cookieName, token, {
    httpOnly: true,
    sameSite: 'strict',
    secure: request.secure,
    path: '/',
    maxAge: sessionMs,
  })
}

function findCookie(request: Request): string | undefined {
  for (const cookie of (request.headers.cookie ?? '').split(';')) {
    const [name, value] = cookie.trim().split('=')
    if (name === cookieName) return value
  }
  return undefined
}

import { createHash, timingSafeEqual } from 'node:crypto'
import type { RequestHandler } from 'express'
import { isLoopbackHost } from '../postgres/database-url.js'

/** Lets a request pass that carries `Authorization: Bearer <adminToken>`; all others get a 401. */
export function requireAdminToken(adminToken: string): RequestHandler {
  const expected = digest(adminToken)
  return (request, response, next) => {
    const given = /^Bearer +(\S+) *$/i.exec(request.headers.authorization ?? '')?.[1]
    if (given !== undefined && timingSafeEqual(digest(given), expected)) return next()
    response
      .status(401)
      .set('WWW-Authenticate', 'Bearer realm="tokenledger"')
      .json({ error: 'send the admin token as Authorization: Bearer <TOKENLEDGER_ADMIN_TOKEN>' })
  }
}

/**
 * Lets a request pass that was addressed to this machine by a loopback name; all others get a 403. It keeps a web page
 * whose own name was pointed at 127.0.0.1 from reading an app that asks for no token.
 */
export const requireLoopbackName: RequestHandler = (request, response, next) => {
  const name = /^(?:\[(.+)\]|([^:]+))(?::\d+)?$/.exec(request.headers.host ?? '')
  if (isLoopbackHost((name?.[1] ?? name?.[2] ?? '').toLowerCase())) return next()
  response.status(403).json({ error: 'without TOKENLEDGER_ADMIN_TOKEN the app answers to localhost only' })
}

// Digests have equal lengths, which the comparison needs and a token's length must not reveal.
function digest(token: string): Buffer {
  return createHash('sha256').update(token).digest()
}

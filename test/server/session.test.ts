import express from 'express'
import { describe, expect, it } from 'vitest'
import { createSessionRouter, findRequestViewer } from '../../src/server/session.js'
import { createViewerTokens, digestOf } from '../../src/server/viewer.js'
import { serve } from './serve.js'

const adminToken = 'the-admin-token'
const tokens = createViewerTokens(digestOf(adminToken))
const json = { 'Content-Type': 'application/json' }

describe('a session', () => {
  it('begins with a token and is told by its cookie from then on', async () => {
    const url = await start()
    const token = tokens.sign({ viewer: { role: 'user', user: 'ann@example.com' }, expiresAt: Date.now() + 86_400_000 })

    const begun = await fetch(`${url}/session`, { method: 'POST', headers: json, body: JSON.stringify({ token }) })
    const cookie = begun.headers.get('set-cookie') ?? ''
    const viewer = await fetch(`${url}/viewer`, { headers: { cookie: `other=1; ${cookie.split(';')[0]}` } })
    const bearer = await fetch(`${url}/viewer`, { headers: { authorization: `Bearer ${token}` } })

    expect(await begun.json()).toEqual({ role: 'user', user: 'ann@example.com' })
    expect(cookie).toMatch(/HttpOnly.*SameSite=Strict/)
    expect(cookie).not.toContain(token)
    expect(await viewer.json()).toEqual({ role: 'user', user: 'ann@example.com', hasSession: true })
    expect(await bearer.json()).toEqual({ role: 'user', user: 'ann@example.com' })
  })

  it('lasts no longer than the token that it was begun with, however often it is begun anew', async () => {
    const url = await start()
    const expiresAt = Date.now() + 60_000
    const token = tokens.sign({ viewer: { role: 'user', user: 'ann@example.com' }, expiresAt })

    const begun = await fetch(`${url}/session`, { method: 'POST', headers: json, body: JSON.stringify({ token }) })
    const session = /tokenledger_session=([^;]+)/.exec(begun.headers.get('set-cookie') ?? '')?.[1] ?? ''

    expect(tokens.read(session)).toEqual({ viewer: { role: 'user', user: 'ann@example.com' }, expiresAt })
  })

  it('lasts as long in a browser whose clock is wrong', async () => {
    const url = await start()

    const body = JSON.stringify({ token: adminToken })
    const begun = await fetch(`${url}/session`, { method: 'POST', headers: json, body })

    // An instant would be one by the browser's clock; where both are told, the seconds count.
    expect(begun.headers.get('set-cookie')).toMatch(/; Max-Age=(43200|43199);/)
  })

  it('ends where it is told to', async () => {
    const url = await start()

    const ended = await fetch(`${url}/session`, { method: 'DELETE' })

    expect(ended.status).toBe(204)
    expect(ended.headers.get('set-cookie')).toMatch(/tokenledger_session=; Path=\/; Expires=Thu, 01 Jan 1970/)
  })

  it.each([
    ['a wrong token', json, '{"token":"wrong"}'],
    ['no token', json, '{}'],
    ['a token that is no text', json, '{"token":{"length":3}}'],
    ['a form of another site', { 'Content-Type': 'text/plain' }, `{"token":"${adminToken}"}`],
  ])('does not begin with %s', async (_what, headers, body) => {
    const url = await start()

    const refused = await fetch(`${url}/session`, { method: 'POST', headers, body })

    expect(refused.status).toBe(401)
    expect(refused.headers.get('set-cookie')).toBeNull()
  })

  it.each([
    ['https', true],
    ['https,http', true],
    ['http', false],
  ])('has a cookie for encrypted connections only, where the proxies say %s: %s', async (protocol, isSecure) => {
    const url = await start()
    const headers = { ...json, 'X-Forwarded-Proto': protocol }

    const begun = await fetch(`${url}/session`, {
      method: 'POST',
      headers,
      body: JSON.stringify({ token: adminToken }),
    })

    expect(begun.headers.get('set-cookie')?.includes('Secure')).toBe(isSecure)
  })
})

async function start(): Promise<string> {
  const app = express()
  app.use(createSessionRouter(tokens))
  app.get('/viewer', (request, response) => void response.json(findRequestViewer(tokens, request) ?? null))
  return serve(app)
}

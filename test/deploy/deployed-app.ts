import assert from 'node:assert/strict'
import { once } from 'node:events'
import { setTimeout as sleep } from 'node:timers/promises'
import type { TestDatabase } from '../support/test-database.js'
import { type Host, run, type Web } from './host.js'

export const adminToken = 'the-admin-token-of-this-deploy'

type Group = { readonly group: string; readonly requests: number }

const bearer = { authorization: `Bearer ${adminToken}` }
// Heroku sends the second SIGTERM soon after the first, and kills after 30 seconds.
const longestStopMs = 25_000
const contentTypes: Record<string, string> = {
  css: 'text/css; charset=utf-8',
  js: 'text/javascript; charset=utf-8',
  svg: 'image/svg+xml',
}

export async function checkHealth({ url }: Web): Promise<void> {
  const response = await fetch(`${url}/health`)
  assert.deepEqual([response.status, await response.json()], [200, { status: 'ok', database: 'up' }])
}

/** Loads the page and every file that it names. */
export async function checkPage({ url }: Web): Promise<string> {
  const page = await fetch(`${url}/`)
  assert.deepEqual([page.status, page.headers.get('content-type')], [200, 'text/html; charset=utf-8'])
  const addresses = [...(await page.text()).matchAll(/(?:src|href)="([^"]+)"/g)].map(([, address = '']) => address)
  assert.deepEqual([...new Set(addresses.map(extensionOf))].sort(), Object.keys(contentTypes))
  for (const address of addresses) {
    const response = await fetch(new URL(address, `${url}/`))
    const expected = contentTypes[extensionOf(address)]
    assert.deepEqual([response.status, response.headers.get('content-type')], [200, expected], address)
    assert.notEqual(await response.text(), '', address)
  }
  return addresses.join(' ')
}

function extensionOf(address: string): string {
  return address.split('.').at(-1) ?? ''
}

/** Signs in as a browser does behind a proxy that ends TLS. */
export async function checkSignIn({ url }: Web): Promise<void> {
  const signIn = (token: string) =>
    fetch(`${url}/api/session`, {
      method: 'POST',
      headers: { 'content-type': 'application/json', 'x-forwarded-proto': 'https' },
      body: JSON.stringify({ token }),
    })
  assert.equal((await signIn('another token')).status, 401)
  const response = await signIn(adminToken)
  const [cookie = ''] = response.headers.getSetCookie()
  assert.match(cookie, /; HttpOnly; Secure; SameSite=Strict$/)
  const viewer = await fetch(`${url}/api/trpc/viewer`, { headers: { cookie: cookie.split(';')[0] ?? '' } })
  assert.deepEqual(await viewer.json(), { result: { data: { role: 'admin', hasSession: true } } })
}

/** Sends `count` records of a model. */
export async function sendRecords({ url }: Web, modelName: string, count: number): Promise<void> {
  const line = JSON.stringify({ modelName, inputTokens: 1200, outputTokens: 90, userEmail: 'ann@example.com' })
  const response = await fetch(`${url}/api/usage`, {
    method: 'POST',
    headers: { ...bearer, 'content-type': 'application/x-ndjson' },
    body: `${line}\n`.repeat(count),
  })
  assert.deepEqual([response.status, await response.json()], [202, { accepted: count, rejected: [] }])
}

/** Waits until the report that the page reads has all of a model's calls. */
export async function checkReport({ url }: Web, modelName: string, count: number): Promise<void> {
  const input = encodeURIComponent(JSON.stringify({ by: 'model', since: '2d' }))
  for (const deadline = Date.now() + 10_000; ; await sleep(50)) {
    const response = await fetch(`${url}/api/trpc/breakdown?input=${input}`, { headers: bearer })
    const { result } = (await response.json()) as { result: { data: { groups: Group[] } } }
    const found = result.data.groups.find(({ group }) => group === modelName)?.requests
    if (found === count) return
    assert.ok(Date.now() < deadline, `the report has ${found} of ${count} calls after 10 s`)
  }
}

/** prom-client is not among the packages of a deploy. */
export async function checkMetrics({ url }: Web): Promise<void> {
  const response = await fetch(`${url}/metrics`, { headers: bearer })
  const error = 'metrics need the package prom-client: npm install prom-client'
  assert.deepEqual([response.status, await response.json()], [501, { error }])
}

export async function checkCommands(host: Host, modelName: string, count: number): Promise<void> {
  const report = JSON.parse(await run(host, 'node dist/cli/main.js report models --json'))
  assert.deepEqual(
    report.groups.map(({ group, requests }: Group) => [group, requests]),
    [[modelName, count]],
  )
  await run(host, 'node dist/cli/main.js verify')
  await run(host, 'node scripts/test-token-logging.js')
}

/** Two SIGTERMs, as Heroku sends them, while rows wait to be written. */
export async function checkStop(web: Web, database: TestDatabase): Promise<string> {
  const before = await countRows(database)
  await sendRecords(web, 'sent-before-the-end', 3)
  assert.equal(await countRows(database), before, 'the rows were written before the signal; this proves nothing')
  const startedAt = performance.now()
  const exited = once(web.child, 'exit')
  web.child.kill('SIGTERM')
  await sleep(20)
  web.child.kill('SIGTERM')
  const exit = await Promise.race([exited, sleep(longestStopMs, undefined, { ref: false })])
  assert.deepEqual(exit, [0, null], `it has not ended with 0 after ${longestStopMs} ms, but with ${exit}`)
  assert.equal(await countRows(database), before + 3)
  return `${Math.round(performance.now() - startedAt)} ms`
}

async function countRows(database: TestDatabase): Promise<number> {
  const [row] = await database.query('select count(*)::integer as count from token_usage_logs')
  return row?.count
}

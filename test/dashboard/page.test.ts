import { readFileSync } from 'node:fs'
import { createRequire } from 'node:module'
import type { Browser, BrowserContextOptions, Page } from 'playwright-core'
import { afterAll, beforeAll, describe, expect, it, onTestFinished } from 'vitest'
import { formatCount, formatShortCount, formatUsd } from '../../src/dashboard/format.js'
import { findChromium, launchChromium } from '../support/chromium.js'
import { createTestDatabase, type TestDatabase } from '../support/test-database.js'
import { scriptPayloads } from './script-payloads.js'
import { adminToken, type StartedPage, startPage } from './start-page.js'

const executablePath = findChromium()
if (executablePath === undefined)
  console.warn(
    'The page is not tested: Chromium is missing. Install it (apt-get install chromium) or set CHROMIUM_PATH.',
  )

const axe = readFileSync(createRequire(import.meta.url).resolve('axe-core/axe.min.js'), 'utf8')
const policies = {
  "helmet's defaults":
    "default-src 'self';base-uri 'self';font-src 'self' https: data:;form-action 'self';frame-ancestors 'self';" +
    "img-src 'self' data:;object-src 'none';script-src 'self';script-src-attr 'none';style-src 'self' https: 'unsafe-inline';" +
    'upgrade-insecure-requests',
  'nothing but its own': "default-src 'self'",
}
const longName = `${'x'.repeat(308)}@example.com`

let database: TestDatabase
let app: StartedPage
let browser: Browser

describe.skipIf(executablePath === undefined)('the page', () => {
  beforeAll(async () => {
    database = await createTestDatabase()
    await insertCalls()
    app = await startPage(database)
    browser = await launchChromium(executablePath ?? '')
  }, 60_000)
  afterAll(async () => {
    await browser?.close()
    await app?.stop()
    await database?.drop()
  })

  it('asks for a token, and shows usage to whoever has one, without a mouse', async () => {
    const page = await openPage()
    await page.goto(app.url)
    await page.getByLabel('Token').fill('a wrong one')
    await page.keyboard.press('Enter')
    await page.getByText('This token is not known').waitFor()

    await page.getByLabel('Token').fill(adminToken)
    await page.keyboard.press('Tab')
    await page.keyboard.press('Enter')

    await page.getByRole('heading', { name: 'Usage', exact: true }).waitFor()
    expect(await page.evaluate(() => document.cookie)).toBe('')
  })

  it('shows what SQL says of the same rows', async () => {
    const page = await openPage(adminToken)
    const [sums] = await database.query(
      `select count(*)::int as requests, sum(cost_estimate)::text as cost, sum(input_tokens)::float8 as input,
         sum(output_tokens)::float8 as output, count(*) filter (where cost_estimate is null)::int as unpriced,
         percentile_disc(0.95) within group (order by duration_ms) filter (where status = 'ok' and day > current_date - 7) as p95
       from (select *, (timestamp at time zone 'UTC')::date as day from token_usage_logs) as logs
       where day > current_date - 30`,
    )
    const models = await database.query(
      `select model_name as name, provider, count(*)::int as requests, sum(cost_estimate)::text as cost from token_usage_logs
       where timestamp >= now() - interval '29 days' group by 1, 2 having sum(cost_estimate) > 0.5 order by sum(cost_estimate) desc`,
    )

    expect(await cardOf(page, 'Cost')).toBe(formatUsd(sums?.cost))
    expect(await cardOf(page, 'Requests')).toBe(formatCount(sums?.requests))
    expect(await cardOf(page, 'Input tokens')).toBe(formatShortCount(sums?.input))
    expect(await cardOf(page, 'Output tokens')).toBe(formatShortCount(sums?.output))
    expect(await page.locator('.card', { hasText: 'Cost' }).first().innerText()).toContain(
      `${formatCount(sums?.unpriced)} unpriced`,
    )
    await expect.poll(() => cardOf(page, '95 % within')).toBe(`${sums?.p95} ms`)
    const rows = await rowsOf(page, 'Cost')
    expect(
      rows.slice(0, models.length).map(([name, provider, cost, requests]) => [name, provider, cost, requests]),
    ).toEqual(
      models.map(({ name, provider, cost, requests }) => [name, provider, formatUsd(cost), formatCount(requests)]),
    )
  })

  it('narrows to what is clicked, keeps it in the address, and goes back', async () => {
    const page = await openPage(adminToken)
    const [{ count } = {}] = await database.query("select count(*) from token_usage_logs where model_name = 'model-1'")
    const all = await cardOf(page, 'Requests')

    await page.getByRole('region', { name: 'Cost' }).getByRole('button', { name: 'model-1' }).first().click()
    await expect.poll(() => cardOf(page, 'Requests')).toBe(formatCount(Number(count)))
    const address = new URL(page.url()).search
    await page.reload()
    await expect.poll(() => cardOf(page, 'Requests')).toBe(formatCount(Number(count)))
    await page.getByRole('button', { name: 'Model: model-1 , remove' }).click()

    await expect.poll(() => cardOf(page, 'Requests')).toBe(all)
    expect(address).toBe('?model=model-1')
    await page.goBack()
    await expect.poll(() => cardOf(page, 'Requests')).toBe(formatCount(Number(count)))
  })

  it('exports the calls it shows', async () => {
    const page = await openPage(adminToken, { search: '?model=model-2&since=7d' })
    const [{ count } = {}] = await database.query(
      "select count(*) from token_usage_logs where model_name = 'model-2' and (timestamp at time zone 'UTC')::date > current_date - 7",
    )

    const downloading = page.waitForEvent('download')
    await page.getByRole('link', { name: 'JSON' }).click()
    const download = await downloading

    expect(download.suggestedFilename()).toBe('usage-7d-model-model-2.json')
    expect(JSON.parse(readFileSync(await download.path(), 'utf8'))).toHaveLength(Number(count))
  })

  it('is worked by keys alone: the chart, the order of a table, a call', async () => {
    const page = await openPage(adminToken, { search: '?model=model-1' })
    const [day] = await database.query(
      `select (current_date - 1)::text as day, sum(cost_estimate)::text as cost from token_usage_logs
       where model_name = 'model-1' and (timestamp at time zone 'UTC')::date = current_date - 1`,
    )
    const chart = page.getByRole('slider', { name: 'Cost over time' })
    await page.getByRole('region', { name: 'Cost' }).locator('.columns rect').first().waitFor()

    await chart.press('End')
    await chart.press('ArrowLeft')
    expect(await chart.getAttribute('aria-valuetext')).toBe(`${day?.day}: ${formatUsd(day?.cost)}`)

    const calls = page.getByRole('region', { name: 'Calls' })
    await calls.getByRole('button', { name: 'Input' }).press('Enter')
    const inputs = (await rowsOf(page, 'Calls')).map((cells) => Number(cells[4]?.replaceAll(',', '')))
    expect(inputs).toEqual([...inputs].sort((one, other) => other - one))
    expect(await calls.getByRole('columnheader', { name: 'Input' }).getAttribute('aria-sort')).toBe('descending')

    const call = calls.locator('tbody button').first()
    await call.press('Enter')
    await page.getByRole('dialog').getByText('userEmail').waitFor()
    await page.keyboard.press('Escape')
    expect(await page.getByRole('dialog').count()).toBe(0)
    expect(await call.evaluate((button) => button === document.activeElement)).toBe(true)
  })

  it('shows a user nothing but their own, whomever the address names', async () => {
    const page = await openPage(app.userToken('user-1@example.com'), { search: '?user=user-2@example.com' })
    const [{ own, others } = {}] = await database.query(
      `select count(*) filter (where user_email = 'user-1@example.com')::int as own,
         max(id) filter (where user_email = 'user-2@example.com') as others from token_usage_logs`,
    )

    expect(await cardOf(page, 'Requests')).toBe(formatCount(own))
    await page.getByRole('heading', { name: 'Your usage' }).waitFor()
    const statusOf = async (path: string) => (await page.request.get(`${app.url}/api/${path}`)).status()
    expect(await statusOf(`trpc/callDetails?input=${encodeURIComponent(JSON.stringify({ id: others }))}`)).toBe(404)
    expect(await statusOf('trpc/gaps?input=%7B%7D')).toBe(403)
    expect(await statusOf('reports/user-activity-summary')).toBe(401)
    expect(await (await page.request.get(`${app.url}/api/export.json?user=user-2@example.com`)).json()).toHaveLength(
      own,
    )
    const shown = await page.locator('#page').innerText()
    expect(shown).not.toContain('user-2@')
  })

  it('says what the figures leave out to an admin, and what the data suggest, with figures', async () => {
    const page = await openPage(adminToken)

    await page.getByText('These figures are exact except for 5 calls').click()
    await page.getByRole('cell', { name: 'memory full' }).waitFor()
    const advice = page.getByRole('region', { name: 'Recommendations' })
    expect(await advice.innerText()).toMatch(/answer: model-2 is used for it as well, at \$[\d,.]+ less than model-1/)
    expect(await advice.innerText()).toMatch(/model-1 cost \$[\d,.]+ for \d+ calls, \$[\d,.]+ per million tokens/)
  })

  it('has cards and charts before what reads every row has answered', async () => {
    const page = await openPage()
    const asked: string[] = []
    page.on('request', (request) => asked.push(new URL(request.url()).pathname.replace(/^.*\//, '')))
    await page.route(/latencies|providers/, () => {})
    await signIn(page, adminToken)

    await page.getByRole('region', { name: 'Cost' }).locator('.columns rect').first().waitFor()
    expect(await cardOf(page, 'Requests')).not.toBe('…')
    await expect.poll(() => asked).toContain('latencies')
    expect(asked.slice(asked.indexOf('latencies'))).not.toContain('totals')
    expect(asked.slice(asked.indexOf('latencies'))).not.toContain('series')
    expect(asked).not.toContain('providers')
    expect(await cardOf(page, '95 % within')).toBe('…')
  })

  it('shows what can be had where a part fails, and asks again for that part', async () => {
    const page = await openPage()
    await page.route('**/series*', (route) => route.abort())
    await signIn(page, adminToken)
    const cost = page.getByRole('region', { name: 'Cost' })

    await cost.getByRole('alert').waitFor()
    expect((await rowsOf(page, 'Cost')).length).toBeGreaterThan(3)
    await page.unroute('**/series*')
    await cost.getByRole('button', { name: 'Try again' }).click()

    await cost.locator('.columns rect').first().waitFor()
    expect(await cost.getByRole('alert').count()).toBe(0)
  })

  it('shows new calls as they come, and leaves focus and scroll where they are', async () => {
    const page = await openPage()
    await page.clock.install()
    await signIn(page, app.userToken('user-3@example.com'))
    await page.getByRole('region', { name: 'Providers' }).getByRole('table').waitFor()
    const before = await cardOf(page, 'Requests')
    const button = page.getByRole('region', { name: 'Calls' }).getByRole('button', { name: 'Duration' })
    await button.focus()
    const place = () => page.evaluate(() => [document.activeElement?.textContent, scrollY])
    const placeBefore = await place()

    await database.query(
      `insert into token_usage_logs (user_email, model_name, provider, input_tokens, output_tokens, request_type)
       values ('user-3@example.com', 'model-1', 'provider-1', 1, 1, 'chat')`,
    )
    await page.clock.runFor(31_000)

    await expect.poll(() => cardOf(page, 'Requests')).toBe(formatCount(Number(before) + 1))
    expect(await place()).toEqual(placeBefore)
    expect(placeBefore[0]).toBe('Duration')
  })

  it('tells whoever has no calls yet how to record them', async () => {
    const page = await openPage(app.userToken('nobody@example.com'))

    await page.getByRole('heading', { name: 'No call seen yet' }).waitFor()
    expect(await page.getByRole('code').innerText()).toContain('usage.track(new OpenAI())')
  })

  it.each(['light', 'dark'] as const)(
    'has nothing that axe objects to, %s',
    async (colorScheme) => {
      const page = await openPage(undefined, { colorScheme })
      await page.goto(app.url)
      await page.getByLabel('Token').waitFor()
      const violations = [...(await violationsOf(page, colorScheme))]
      await signIn(page, adminToken)
      await page.getByRole('region', { name: 'Providers' }).getByRole('table').waitFor()
      violations.push(...(await violationsOf(page, colorScheme)))
      await page.getByRole('region', { name: 'Calls' }).locator('tbody button').first().click()
      await page.getByRole('dialog').getByText('userEmail').waitFor()
      violations.push(...(await violationsOf(page, colorScheme)))

      expect(violations).toEqual([])
    },
    40_000,
  )

  it.each([['its own policy', undefined], ...Object.entries(policies)])(
    'breaks nothing of %s',
    async (_name, policy) => {
      const page = await openPage()
      const violations: string[] = []
      await page.exposeFunction('noteViolation', (text: string) => violations.push(text))
      await page.addInitScript(() => {
        addEventListener('securitypolicyviolation', ({ violatedDirective, blockedURI }) => {
          Object(window).noteViolation(`${violatedDirective} ${blockedURI}`)
        })
      })
      if (policy)
        await page.route(`${app.url}/`, async (route) => {
          const response = await route.fetch()
          await route.fulfill({ response, headers: { ...response.headers(), 'content-security-policy': policy } })
        })
      await signIn(page, adminToken)
      await page.getByRole('region', { name: 'Providers' }).getByRole('table').waitFor()
      const shown = [...violations]
      await page.evaluate(() =>
        document.body.append(Object.assign(document.createElement('script'), { text: 'hit()' })),
      )

      expect(shown).toEqual([])
      await expect.poll(() => violations).toEqual(['script-src-elem inline'])
    },
  )

  it('takes no name for markup', async () => {
    const page = await openPage()
    const hits: string[] = []
    await page.exposeFunction('hit', () => hits.push('script'))
    page.on('dialog', (dialog) => {
      hits.push(dialog.type())
      void dialog.dismiss()
    })
    for (const by of ['model', 'user']) {
      await signIn(page, adminToken, `?by=${by}&project=payloads`)
      await page.getByRole('region', { name: 'Cost' }).getByRole('table').waitFor()
      const names = (await rowsOf(page, 'Cost')).map(([name]) => name)
      expect(scriptPayloads.filter((payload) => !names.includes(payload.replaceAll(/\s+/g, ' ')))).toEqual([])
    }
    await page.getByRole('region', { name: 'Cost' }).getByRole('slider').hover()
    await page.getByRole('region', { name: 'Calls' }).locator('tbody button').first().click()
    await page.getByRole('dialog').getByText('userEmail').waitFor()

    expect(hits).toEqual([])
    expect(await page.locator('#page').locator('script, iframe, img, object, embed, marquee, video').count()).toBe(0)
  })

  it('fits on a phone, whatever the names', async () => {
    const page = await openPage(adminToken, {
      viewport: { width: 375, height: 812 },
      search: `?user=${longName}&by=user`,
    })
    await page.getByRole('region', { name: 'Calls' }).getByRole('table').waitFor()

    expect(await page.evaluate(() => document.documentElement.scrollWidth)).toBe(375)
  })
})

type Opening = BrowserContextOptions & { readonly search?: string }

async function openPage(token?: string, { search = '', ...options }: Opening = {}): Promise<Page> {
  const context = await browser.newContext({ reducedMotion: 'reduce', ...options })
  onTestFinished(() => context.close())
  const page = await context.newPage()
  if (token !== undefined) await signIn(page, token, search)
  return page
}

async function signIn(page: Page, token: string, search = ''): Promise<void> {
  await page.request.post(`${app.url}/api/session`, { data: { token } })
  await page.goto(`${app.url}/${search}`)
}

/** The figure of a card, when it is there and not about to change. */
async function cardOf(page: Page, name: string): Promise<string> {
  await page.locator('.cards[aria-busy="false"]').waitFor()
  return page
    .locator('.card', { has: page.getByText(name, { exact: true }) })
    .locator('.figure')
    .innerText()
}

/** The cells of the table in a section. */
async function rowsOf(page: Page, section: string): Promise<string[][]> {
  const table = page.getByRole('region', { name: section }).getByRole('table')
  await table.waitFor()
  return table
    .locator('tbody tr')
    .evaluateAll((rows) =>
      rows.map((row) => [...row.children].map((cell) => (cell.textContent ?? '').replaceAll(/\s+/g, ' '))),
    )
}

/** What axe objects to: in dark only the colours are new. */
async function violationsOf(page: Page, colorScheme: 'light' | 'dark'): Promise<string[]> {
  await page.evaluate(axe)
  const options = colorScheme === 'dark' ? { runOnly: ['color-contrast'] } : {}
  return page.evaluate(async (chosen) => {
    const { violations } = await Object(window).axe.run(chosen)
    return violations.flatMap(({ id, nodes }: { id: string; nodes: { html: string }[] }) =>
      nodes.map(({ html }) => `${id}: ${html}`),
    )
  }, options)
}

/** 600 calls of 30 days, one for each payload, one of a very long name, and records that were lost. */
async function insertCalls(): Promise<void> {
  await database.query(
    `insert into token_usage_logs (timestamp, user_email, model_name, provider, operation, input_tokens, output_tokens,
       request_type, cost_estimate, status, usage_source, duration_ms)
     select (current_date::timestamp at time zone 'UTC') - call * interval '67 minutes',
       'user-' || call % 5 || '@example.com', 'model-' || call % 4, 'provider-' || call % 4,
       case when call % 4 in (1, 2) then 'answer' else 'tag' end, 1000 + call, call % 300, 'chat',
       case when call % 4 > 0 then (case when call % 4 = 1 then 0.0123 else 0.00234 end) * call / 100 end,
       case when call % 17 = 0 then 'error' else 'ok' end, 'provider', call % 950
     from generate_series(1, 600) as call`,
  )
  const names = [...scriptPayloads.map((payload) => [payload, payload]), [longName, 'm'.repeat(256)]]
  await database.query(
    `insert into token_usage_logs (user_email, model_name, project, input_tokens, output_tokens, request_type, cost_estimate, status)
     select user_email, model_name, 'payloads', 1, 1, 'chat', 0.00001, 'ok'
     from unnest($1::text[], $2::text[]) as names (user_email, model_name)`,
    [names.map(([user]) => user), names.map(([, model]) => model)],
  )
  await database.query(
    `insert into token_usage_losses (id, reason, records, input_tokens, output_tokens, first_at, last_at)
     values (gen_random_uuid(), 'memory_full', 5, 10, 10, now(), now())`,
  )
}

import { readFileSync } from 'node:fs'
import { createRequire } from 'node:module'
import type { RequestHandler } from 'express'
import helmet from 'helmet'
import type { Browser, BrowserContext, BrowserContextOptions, Locator, Page } from 'playwright-core'
import { afterAll, beforeAll, describe, expect, it, onTestFinished } from 'vitest'
import { formatCount, formatShortCount, formatUsd } from '../../src/dashboard/format.js'
import { findChromium, launchChromium } from '../support/chromium.js'
import { createTestDatabase, type TestDatabase } from '../support/test-database.js'
import { scriptPayloads } from './script-payloads.js'
import { adminToken, mountPage, type StartedPage, startPage } from './start-page.js'

const executablePath = findChromium()
if (executablePath === undefined)
  console.warn(
    'The page is not tested: Chromium is missing. Install it (apt-get install chromium) or set CHROMIUM_PATH.',
  )

const axe = readFileSync(createRequire(import.meta.url).resolve('axe-core/axe.min.js'), 'utf8')
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
  }, 120_000)
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

    await page.context().clearCookies()
    const failing = page.waitForEvent('download')
    await page.getByRole('link', { name: 'CSV' }).click()

    expect(await (await failing).failure()).not.toBeNull()
    expect(await page.title()).toBe('Usage - tokenledger')
  })

  it('is worked by keys alone: the chart, the order of a table, a call', async () => {
    const page = await openPage(adminToken, { search: '?model=model-1' })
    const [day] = await database.query(
      `select (current_date - 1)::text as day, coalesce(sum(cost_estimate), 0)::text as cost from token_usage_logs
       where model_name = 'model-1' and (timestamp at time zone 'UTC')::date = current_date - 1`,
    )
    const chart = page.getByRole('slider', { name: 'Cost over time' })
    await page.getByRole('region', { name: 'Cost' }).locator('.columns rect').first().waitFor()

    await chart.press('End')
    await chart.press('ArrowLeft')
    await expect.poll(() => chart.getAttribute('aria-valuetext')).toBe(`${day?.day}: ${formatUsd(day?.cost)}`)

    const calls = page.getByRole('region', { name: 'Calls' })
    await calls.getByRole('button', { name: 'Input' }).press('Enter')
    await expect
      .poll(() => calls.getByRole('columnheader', { name: 'Input' }).getAttribute('aria-sort'))
      .toBe('descending')
    const inputs = (await rowsOf(page, 'Calls')).map((cells) => Number(cells[4]?.replaceAll(',', '')))
    expect(inputs).toEqual([...inputs].sort((one, other) => other - one))

    const call = calls.locator('tbody button').first()
    await call.press('Enter')
    await page.getByRole('dialog').getByText('userEmail').waitFor()
    await page.keyboard.press('Escape')
    await expect.poll(() => page.getByRole('dialog').count()).toBe(0)
    await untilFocused(call)
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
    await advice.getByText('is used for it as well').waitFor()
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

  it('changes nothing but figures that have changed, when it asks anew', async () => {
    // A range with an end: for the page, whose clock is turned on, another day may begin.
    const [{ range } = {}] = await database.query(
      "select format('since=%s&until=%s', current_date - 29, current_date + 1) as range",
    )
    const page = await openPage(adminToken, { search: `?user=user-3@example.com&${range}`, isAlone: true })
    const cost = page.getByRole('region', { name: 'Cost' })
    const chart = cost.getByRole('slider')
    await page.getByText('These figures are exact except').click()
    await page.getByText('As a table').click()
    await cost.getByRole('button', { name: 'Requests' }).click()
    await page.getByLabel('is', { exact: true }).fill('half a na')
    await chart.press('End')
    await chart.press('ArrowLeft')
    const held = async () => ({
      focus: await page.evaluate(() => [document.activeElement?.getAttribute('aria-label'), scrollY]),
      column: (await chart.getAttribute('aria-valuetext'))?.split(':')[0],
      order: await cost.getByRole('columnheader', { name: 'Requests' }).getAttribute('aria-sort'),
      typed: await page.getByLabel('is', { exact: true }).inputValue(),
      opened: await page.locator('details[open]').count(),
    })
    const [before, requests] = [await held(), await cardOf(page, 'Requests')]

    const changes = await changesOfRound(page)
    await database.query(
      `insert into token_usage_logs (user_email, model_name, provider, input_tokens, output_tokens, request_type)
       values ('user-3@example.com', 'model-1', 'provider-1', 1, 1, 'chat')`,
    )
    await changesOfRound(page)

    expect(changes).toEqual([])
    expect(await cardOf(page, 'Requests')).toBe(formatCount(Number(requests) + 1))
    expect(await held()).toEqual(before)
    expect(before).toMatchObject({ order: 'descending', typed: 'half a na', opened: 2 })
    expect(before.focus[0]).toBe('Cost over time')
  })

  it('says once that the server is away and what is shown is old, and goes on when it is back', async () => {
    const mounted = await mountPage(database)
    onTestFinished(mounted.stop)
    const page = await openPage(undefined, { isAlone: true })
    await page.route(/viewer/, (route) => route.abort())
    await page.goto(`${mounted.url}/?user=user-2@example.com`)
    await page.getByText('The server does not answer').waitFor()
    await page.unroute(/viewer/)
    await page.clock.runFor(31_000)
    await readiness(page)
    const [requests, rows] = [await cardOf(page, 'Requests'), await rowsOf(page, 'Cost')]

    mounted.leave()
    await page.clock.runFor(31_000)
    await page.getByText(/^The server does not answer\. What is shown is of \d{4}-\d\d-\d\d \d\d:\d\d:\d\d/).waitFor()
    expect(await page.getByRole('button', { name: 'Try again' }).count()).toBe(1)
    expect([await cardOf(page, 'Requests'), await rowsOf(page, 'Cost')]).toEqual([requests, rows])
    mounted.comeBack()
    await page.clock.runFor(31_000)

    await expect.poll(() => page.getByText('What is shown is of').count()).toBe(0)
    await expect.poll(() => page.getByRole('button', { name: 'Try again' }).count()).toBe(0)
  })

  it('asks for a token when the session has ended, and then shows the same again', async () => {
    const page = await openPage(adminToken, { search: '?user=few@example.com', isAlone: true })
    await readiness(page)

    await page.context().clearCookies()
    await page.clock.runFor(31_000)
    await page.getByText('The session has ended').waitFor()
    expect(await page.locator('#page').innerText()).not.toContain('few-model')
    await untilFocused(page.getByLabel('Token'))
    await page.keyboard.type(adminToken.slice(0, 5))
    await page.context().setOffline(true)
    await page.clock.runFor(31_000)
    await page.context().setOffline(false)
    await page.keyboard.type(adminToken.slice(5))
    await page.keyboard.press('Enter')

    await page.getByRole('button', { name: 'User: few@example.com , remove' }).waitFor()
  })

  it('asks for nothing while nobody looks, and at once when somebody does again', async () => {
    const page = await openPage(app.userToken('few@example.com'), { isAlone: true })
    await readiness(page)
    let asked = 0
    page.on('request', () => asked++)
    const look = (visibilityState: string) =>
      page.evaluate((value) => {
        Object.defineProperty(document, 'visibilityState', { value, configurable: true })
        document.dispatchEvent(new Event('visibilitychange'))
      }, visibilityState)

    await look('hidden')
    await page.clock.runFor(3_600_000)
    expect(asked).toBe(0)
    await look('visible')

    await expect.poll(() => asked).toBeGreaterThan(5)
  })

  it('ends the session by a button, if the server answers', async () => {
    const page = await openPage(adminToken, { isAlone: true })
    const button = page.getByRole('button', { name: 'Sign out' })
    await page.route('**/api/session', (route) => route.abort())
    await button.press('Enter')
    await page.getByText('You are still signed in').waitFor()
    await page.unroute('**/api/session')

    await button.press('Enter')

    await untilFocused(page.getByLabel('Token'))
    expect((await page.request.get(`${app.url}/api/trpc/viewer`)).status()).toBe(401)
  })

  it('suggests names of the calls that are shown, of their own to a user, once somebody is in the field', async () => {
    const admin = await openPage(adminToken, { search: '?user=few@example.com' })
    await readiness(admin)
    const asked: string[] = []
    admin.on('request', (request) => asked.push(request.url()))
    const suggestions = (page: Page) =>
      page.locator('datalist option').evaluateAll((options) => options.map((option) => option.getAttribute('value')))
    const field = admin.getByLabel('is', { exact: true })

    expect([asked, await suggestions(admin)]).toEqual([[], []])
    await field.focus()
    await expect.poll(() => suggestions(admin)).toEqual(['few-model', 'few-other'])
    await admin.getByLabel('Filter by').selectOption('user')
    await field.focus()
    await expect.poll(() => suggestions(admin)).toContain('user-1@example.com')
    await field.fill('user-1@example.com')
    await field.press('Enter')
    await admin.getByRole('button', { name: 'User: user-1@example.com , remove' }).waitFor()

    const user = await openPage(app.userToken('few@example.com'), { search: '?user=user-1@example.com' })
    await user.getByLabel('is', { exact: true }).focus()
    await expect.poll(() => suggestions(user)).toEqual(['few-model', 'few-other'])
  })

  it('moves nothing and claims nothing while it waits for figures', async () => {
    const page = await openPage()
    let answer = () => {}
    const isAnswered = new Promise<void>((resolve) => {
      answer = resolve
    })
    await page.route(/trpc\/(?!viewer)/, async (route) => {
      await isAnswered
      await route.continue()
    })
    await signIn(page, app.userToken('few@example.com'))
    const cost = page.getByRole('region', { name: 'Cost' })
    const places = async () => [
      await page.locator('.filters').boundingBox(),
      await page.locator('.cards').boundingBox(),
      await cost.getByRole('slider').boundingBox(),
      await page.getByLabel('Filter by').boundingBox(),
    ]
    await cost.waitFor()
    const [before, claimed] = [await places(), await page.locator('main').innerText()]

    answer()
    await readiness(page)

    expect(claimed.replaceAll(/95 % within|of the last 7 days/g, '')).not.toMatch(/\d/)
    expect(await places()).toEqual(before)
  })

  it('tells whoever has no calls yet how to record them', async () => {
    const page = await openPage(app.userToken('nobody@example.com'))

    await page.getByRole('heading', { name: 'No call seen yet' }).waitFor()
    expect(await page.getByRole('code').innerText()).toContain('usage.track(new OpenAI())')
  })

  it.each<[string, () => Promise<Page>]>([
    [
      'the sign-in',
      async () => {
        const page = await openPage()
        await page.goto(app.url)
        await page.getByLabel('Token').fill('a wrong one')
        await page.keyboard.press('Enter')
        await page.getByText('This token is not known').waitFor()
        return page
      },
    ],
    [
      'the whole page, every table open',
      async () => {
        const page = await openPage(adminToken, { search: '?operation=answer' })
        await readiness(page)
        await page.getByRole('region', { name: 'Recommendations' }).getByText('is used for it as well').waitFor()
        for (const summary of await page.locator('summary').all()) await summary.click()
        await page.getByRole('slider').first().press('End')
        return page
      },
    ],
    [
      'a single call',
      async () => {
        const page = await openPage(adminToken, { search: '?user=few@example.com' })
        await page.getByRole('region', { name: 'Calls' }).locator('tbody button').first().click()
        await page.getByRole('dialog').getByText('userEmail').waitFor()
        return page
      },
    ],
    [
      'the page without a call',
      async () => {
        const page = await openPage(app.userToken('nobody@example.com'))
        await page.getByRole('heading', { name: 'No call seen yet' }).waitFor()
        return page
      },
    ],
    [
      'a page that cannot be had',
      async () => {
        const page = await openPage()
        await page.route(/totals|series|providers/, (route) => route.abort())
        await signIn(page, adminToken, '?user=few@example.com')
        await page.getByRole('region', { name: 'Providers' }).getByRole('alert').waitFor()
        return page
      },
    ],
    [
      'old figures',
      async () => {
        const page = await openPage(adminToken, { search: '?user=few@example.com', isAlone: true })
        await readiness(page)
        await page.context().setOffline(true)
        await page.clock.runFor(31_000)
        await page.getByText('What is shown is of').waitFor()
        return page
      },
    ],
    [
      "a user's page on a phone",
      async () => {
        const page = await openPage(app.userToken('few@example.com'), {
          viewport: { width: 375, height: 812 },
          search: '?model=few-model',
        })
        await readiness(page)
        await page.getByLabel('is', { exact: true }).focus()
        return page
      },
    ],
  ])('has nothing that axe objects to, light or dark: %s', async (_name, prepare) => {
    const page = await prepare()

    await page.evaluate(axe)
    for (const colorScheme of ['light', 'dark'] as const) {
      await page.emulateMedia({ colorScheme })
      expect([colorScheme, await violationsOf(page)]).toEqual([colorScheme, []])
    }
  })

  it.each<[string, readonly RequestHandler[]]>([
    ['its own policy', []],
    ["helmet's defaults", [helmet()]],
    ["default-src 'self'", [policy("default-src 'self'")]],
  ])('breaks nothing of %s, in an app around it', async (_name, before) => {
    const mounted = await mountPage(database, { before })
    onTestFinished(mounted.stop)
    const page = await openPage()
    const violations = await watchViolations(page)
    await page.goto(`${mounted.url}/?user=few@example.com`)
    await readiness(page)
    await page.getByRole('region', { name: 'Cost' }).getByRole('slider').press('End')
    await page.getByRole('region', { name: 'Calls' }).locator('tbody button').first().click()
    await page.getByRole('dialog').getByText('userEmail').waitFor()
    const shown = [...violations]
    await page.evaluate(() => document.body.append(Object.assign(document.createElement('script'), { text: 'hit()' })))

    expect(shown).toEqual([])
    await expect.poll(() => [...new Set(violations)]).toEqual(['script-src-elem inline'])
    expect(await page.getByRole('button', { name: 'Sign out' }).count()).toBe(0)
  })

  it('obeys a stricter policy of the app around it, and leaves the other answers of that app alone', async () => {
    const strict = "script-src 'none'"
    const mounted = await mountPage(database, { before: [policy(strict)] })
    onTestFinished(mounted.stop)
    const page = await openPage()
    const violations = await watchViolations(page)

    const response = await page.goto(`${mounted.url}/`)
    const elsewhere = await fetch(`${mounted.url}/nothing-of-ours`)

    await expect.poll(() => violations.length).toBeGreaterThan(0)
    expect(await page.locator('#page').innerHTML()).toBe('')
    expect(await response?.headerValues('content-security-policy')).toEqual([
      strict,
      expect.stringContaining("default-src 'self'"),
    ])
    expect([elsewhere.status, elsewhere.headers.get('content-security-policy')]).toEqual([404, strict])
  })

  it('stands still for whoever wants less motion', async () => {
    const page = await openPage(app.userToken('few@example.com'), { isAlone: true })
    await readiness(page)
    const moving = () =>
      page.evaluate(
        () =>
          [...document.querySelectorAll('*')].filter((element) => {
            const { transitionDuration, animationName } = getComputedStyle(element)
            return transitionDuration !== '0s' || animationName !== 'none'
          }).length,
      )

    expect(await moving()).toBe(0)
    await page.emulateMedia({ reducedMotion: 'no-preference' })
    expect(await moving()).toBeGreaterThan(0)
  })

  it('prints on white what is shown, and nothing to click on, as wide as the paper', async () => {
    const page = await openPage(undefined, { colorScheme: 'dark' })
    // For paper, which is narrower than the screen, no script draws anew.
    await page.addInitScript(() => {
      window.ResizeObserver = class {
        observe() {}
        unobserve() {}
        disconnect() {}
      }
    })
    await signIn(page, adminToken, '?project=payloads')
    await readiness(page)

    await page.emulateMedia({ media: 'print' })
    await page.setViewportSize({ width: 718, height: 1000 })

    const colours = await page.evaluate(() => {
      const { backgroundColor, color } = getComputedStyle(document.body)
      return [backgroundColor, color]
    })
    expect(colours).toEqual(['rgb(255, 255, 255)', 'rgb(27, 29, 27)'])
    expect(await page.locator('.range').innerText()).toMatch(/to today \(UTC\), project payloads$/)
    for (const name of ['Sign out', 'Add', 'Show more'])
      expect(await page.getByRole('button', { name, includeHidden: true }).isVisible()).toBe(false)
    expect(await page.getByLabel('What is shown').isVisible()).toBe(false)
    expect(await page.evaluate(() => document.documentElement.scrollWidth)).toBe(718)
    for (const figure of await page.locator('.plot').all())
      expect(await figure.evaluate((plot) => plot.scrollWidth - plot.clientWidth)).toBe(0)
  })

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
    await readiness(page)

    expect(await page.evaluate(() => document.documentElement.scrollWidth)).toBe(375)
  })

  it('cuts no figure off, however long it is and however narrow the page', async () => {
    const page = await openPage(adminToken, {
      viewport: { width: 320, height: 700 },
      search: '?since=2020-01-01&until=2020-01-31',
    })
    await readiness(page)

    expect(await cardOf(page, 'Cost')).toBe('$98,765,432.10')
    expect(await page.evaluate(() => document.documentElement.scrollWidth)).toBe(320)
    const cut = await page.evaluate(() => {
      const figures = [...document.querySelectorAll<HTMLElement>('.card .figure')]
      const leftOf = (element: Element | null) => element?.getBoundingClientRect().left ?? Number.NaN
      const labels = [...document.querySelectorAll('.axes g text')]
      return [
        ...figures.filter(({ scrollWidth, clientWidth }) => scrollWidth > clientWidth),
        ...labels.filter((label) => leftOf(label) < leftOf(label.closest('.plot'))),
      ].map(({ textContent }) => textContent)
    })
    expect(cut).toEqual([])
  })

  it('says unpriced and not $0.00 in the chart of calls without a price', async () => {
    const page = await openPage(adminToken, { search: '?since=2020-02-01&until=2020-02-05' })
    const chart = page.getByRole('slider', { name: 'Cost over time' })

    await expect.poll(() => chart.getAttribute('aria-valuetext')).toBe('whole range: unpriced')
    await chart.press('Home')
    await expect.poll(() => chart.getAttribute('aria-valuetext')).toBe('2020-02-01: $0.00')
    await chart.press('ArrowRight')
    await expect.poll(() => chart.getAttribute('aria-valuetext')).toBe('2020-02-02: unpriced')
  })

  it('takes a day that is typed for one step, and a status for none that is not', async () => {
    const page = await openPage(adminToken, { search: '?status=broken' })
    await readiness(page)
    const before = await page.evaluate(() => history.length)

    expect(await page.locator('.chips').count()).toBe(0)
    await page.getByLabel('From').focus()
    await page.keyboard.type('11012026')
    await page.waitForURL(/since=2026-11-01/)
    expect(await page.evaluate(() => history.length)).toBe(before + 1)
    await page.getByLabel('is', { exact: true }).fill('model-1')
    await page.getByLabel('Filter by').selectOption('status')
    await page.locator('select[aria-label="is"]').waitFor()
    expect(await page.getByLabel('is', { exact: true }).inputValue()).toBe('')
  })
})

type Opening = BrowserContextOptions & {
  readonly search?: string
  /** With cookies, a clock and media of its own. */
  readonly isAlone?: boolean
}

const contexts = new Map<string, Promise<BrowserContext>>()

/** A page as somebody sees it who has `token`, or nobody. Whoever needs no cookies or clock of their own shares those of others. */
async function openPage(token?: string, { search = '', isAlone, ...options }: Opening = {}): Promise<Page> {
  const create = () => browser.newContext({ reducedMotion: 'reduce', ...options })
  const key = JSON.stringify([token, options])
  const isShared = token !== undefined && !isAlone
  const context = await (isShared ? (contexts.get(key) ?? create()) : create())
  if (isShared) contexts.set(key, Promise.resolve(context))
  const page = await context.newPage()
  onTestFinished(() => (isShared ? page.close() : context.close()))
  if (isAlone) await page.clock.install()
  if (token !== undefined) await signIn(page, token, search)
  return page
}

async function signIn(page: Page, token: string, search = ''): Promise<void> {
  await page.request.post(`${app.url}/api/session`, { data: { token } })
  await page.goto(`${app.url}/${search}`)
}

/** Until everything is there that a page asks for, the last of it included. */
async function readiness(page: Page): Promise<void> {
  await page.getByRole('region', { name: 'Providers' }).getByRole('table').waitFor()
  await expect.poll(() => page.locator('[aria-busy="true"]').count()).toBe(0)
}

async function untilFocused(element: Locator): Promise<void> {
  await expect.poll(() => element.evaluate((each) => each === document.activeElement)).toBe(true)
}

/** What becomes of the page in one round of questions that are answered. */
async function changesOfRound(page: Page): Promise<string[]> {
  await readiness(page)
  await page.evaluate(() => {
    const changes: string[] = []
    const observer = new MutationObserver((mutations) => {
      for (const { type, attributeName, oldValue, target } of mutations)
        if (attributeName !== 'aria-busy' && (type !== 'characterData' || oldValue !== target.textContent))
          changes.push(`${type} ${attributeName} ${target.nodeName} ${target.textContent}`)
    })
    observer.observe(document.body, { subtree: true, childList: true, attributes: true, characterDataOldValue: true })
    Object.assign(window, { changes })
  })
  const last = page.waitForResponse(/trpc\/providers/)
  await page.clock.runFor(30_000)
  await last
  await readiness(page)
  return page.evaluate(() => Object(window).changes)
}

/** Violations of a policy, as they come. */
async function watchViolations(page: Page): Promise<string[]> {
  const violations: string[] = []
  await page.exposeFunction('noteViolation', (text: string) => violations.push(text))
  await page.addInitScript(() => {
    addEventListener('securitypolicyviolation', ({ violatedDirective, blockedURI }) => {
      Object(window).noteViolation(`${violatedDirective} ${blockedURI}`)
    })
  })
  return violations
}

function policy(text: string): RequestHandler {
  return (_request, response, next) => {
    response.set('Content-Security-Policy', text)
    next()
  }
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

/** What axe objects to, by all its rules. Of a table three rows are looked at: the others are made like them. */
async function violationsOf(page: Page): Promise<string[]> {
  return page.evaluate(async () => {
    const { violations } = await Object(window).axe.run({ exclude: ['tbody tr:nth-child(n + 4)'] })
    return violations.flatMap(({ id, nodes }: { id: string; nodes: { html: string }[] }) =>
      nodes.map(({ html }) => `${id}: ${html}`),
    )
  })
}

/** 600 calls of 30 days, one for each payload, one of a very long name, few of one user, two of long ago, and records that were lost. */
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
    `insert into token_usage_logs (user_email, model_name, provider, input_tokens, output_tokens, request_type, cost_estimate, status, usage_source)
     values ('few@example.com', 'few-model', 'provider-1', 10, 10, 'chat', 0.02, 'ok', 'provider'),
       ('few@example.com', 'few-other', 'provider-1', 10, 10, 'chat', 0.01, 'aborted', 'estimated'),
       ('few@example.com', 'few-other', 'provider-1', 0, 0, 'chat', null, 'error', 'unknown')`,
  )
  await database.query(
    `insert into token_usage_logs (timestamp, user_email, model_name, input_tokens, output_tokens, request_type, cost_estimate)
     values ('2020-01-15', 'few@example.com', 'dear', 1, 1, 'chat', 98765432.1), ('2020-02-02', 'few@example.com', 'unpriced', 1, 1, 'chat', null)`,
  )
  await database.query(
    `insert into token_usage_losses (id, reason, records, input_tokens, output_tokens, first_at, last_at)
     values (gen_random_uuid(), 'memory_full', 5, 10, 10, now(), now())`,
  )
}

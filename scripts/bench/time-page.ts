import pg from 'pg'
import type { Browser } from 'playwright-core'
import { adminToken, startPage } from '../../test/dashboard/start-page.js'
import { findChromium, launchChromium } from '../../test/support/chromium.js'
import { median, type Row } from './report.js'

const rounds = 7

/** What somebody waits for, and the selector that finds it when it is there. */
const steps: readonly (readonly [what: string, selector: string])[] = [
  ['page: the cards', '.cards[aria-busy="false"]'],
  ['page: the first chart', '[aria-label="Cost"] .columns rect'],
  ['page: its table', '[aria-label="Cost"] tbody tr'],
  ['page: single calls', '[aria-label="Calls"] tbody tr'],
  ['page: all of it, also what is read from rows', '[aria-label="Providers"] tbody tr'],
]

/** Milliseconds from the navigation until each part of the page is seen in Chromium; no line where that is missing. */
export async function timePage(connectionString: string): Promise<Row[]> {
  const executablePath = findChromium()
  if (executablePath === undefined) return []
  const pool = new pg.Pool({ connectionString, max: 2 })
  const app = await startPage({ connectionString, pool })
  const browser = await launchChromium(executablePath)
  const times: number[][] = []
  // The first one is not counted: with it the database fills its memory.
  for (let round = 0; round <= rounds; round++) times.push(await timeLoad(browser, app.url))
  await browser.close()
  await app.stop()
  await pool.end()
  return steps.map(([what], step) => {
    const ofStep = times.slice(1).map((load) => load[step] ?? Number.NaN)
    return { what, figure: `${median(ofStep).toFixed(0)} ms`, ratio: `${Math.min(...ofStep).toFixed(0)} ms` }
  })
}

async function timeLoad(browser: Browser, url: string): Promise<number[]> {
  const context = await browser.newContext()
  const page = await context.newPage()
  await page.request.post(`${url}/api/session`, { data: { token: adminToken } })
  await page.goto(`${url}/`)
  const seen = steps.map(([, selector]) =>
    page.waitForFunction((wanted) => Object(globalThis).document.querySelector(wanted) && performance.now(), selector),
  )
  const times = await Promise.all(seen.map(async (handle) => Number(await (await handle).jsonValue())))
  await context.close()
  return times
}

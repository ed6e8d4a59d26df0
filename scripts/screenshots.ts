import { type ChildProcess, spawn } from 'node:child_process'
import { randomBytes } from 'node:crypto'
import { once } from 'node:events'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { fileURLToPath } from 'node:url'
import type { Browser, BrowserContextOptions } from 'playwright-core'
import { build } from 'vite'
import { findChromium, launchChromium } from '../test/support/chromium.js'

/** How each picture of `docs/images` looks at the page. */
const pictures: Readonly<Record<string, BrowserContextOptions>> = {
  light: { viewport: { width: 1280, height: 978 } },
  dark: { viewport: { width: 1280, height: 978 }, colorScheme: 'dark' },
  phone: { viewport: { width: 375, height: 812 }, deviceScaleFactor: 2 },
}
const fromHere = (path: string) => fileURLToPath(new URL(path, import.meta.url))
const token = randomBytes(16).toString('hex')

const executablePath = findChromium()
if (executablePath === undefined) {
  console.error('Chromium is missing: install it (apt-get install chromium) or set CHROMIUM_PATH.')
  process.exit(1)
}
await build({ configFile: fromHere('../src/dashboard/vite.config.ts'), logLevel: 'error' })
const directory = mkdtempSync(join(tmpdir(), 'tokenledger-screenshots-'))
const app = startApp(directory)
try {
  const url = await findAddress(app)
  const browser = await launchChromium(executablePath)
  for (const [name, options] of Object.entries(pictures)) await takePicture(browser, { name, options, url })
  await browser.close()
} finally {
  app.kill('SIGTERM')
  await once(app, 'exit')
  rmSync(directory, { recursive: true, force: true })
}

/** The real app on an embedded server of its own, with demo data. */
function startApp(cwd: string): ChildProcess {
  const { DATABASE_URL: _ownDatabase, ...env } = process.env
  return spawn(
    process.execPath,
    ['--import', import.meta.resolve('tsx'), fromHere('../src/server/main.ts'), '--demo-data'],
    { cwd, env: { ...env, PORT: '0', TOKENLEDGER_ADMIN_TOKEN: token }, stdio: ['ignore', 'pipe', 'inherit'] },
  )
}

/** The app's address, when its demo data are written. */
async function findAddress({ stdout }: ChildProcess): Promise<string> {
  let url: string | undefined
  if (stdout) {
    for await (const line of createInterface(stdout)) {
      url ??= /http:\/\/[^/]+/.exec(line)?.[0]
      if (url !== undefined && line.includes('invented calls are written')) return url
    }
  }
  throw new Error('the app ended before its demo data were written')
}

type Picture = { readonly name: string; readonly options: BrowserContextOptions; readonly url: string }

async function takePicture(browser: Browser, { name, options, url }: Picture): Promise<void> {
  const context = await browser.newContext({ ...options, reducedMotion: 'reduce' })
  const page = await context.newPage()
  await page.request.post(`${url}/api/session`, { data: { token } })
  await page.goto(`${url}/`)
  await page.getByRole('region', { name: 'Providers' }).getByRole('table').waitFor()
  await page.getByRole('region', { name: 'Recommendations' }).getByRole('listitem').first().waitFor()
  await page.screenshot({ path: fromHere(`../docs/images/${name}.png`) })
  await context.close()
  console.error(`docs/images/${name}.png`)
}

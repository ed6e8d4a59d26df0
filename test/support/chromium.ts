import { existsSync } from 'node:fs'
import { type Browser, chromium } from 'playwright-core'

// The one without windows opens a page in half the time.
const places = [
  '/usr/bin/chromium-headless-shell',
  '/usr/bin/chromium',
  '/usr/bin/chromium-browser',
  '/usr/bin/google-chrome',
]
// It talks to the page and to nobody else.
const quietArgs = [
  '--no-sandbox',
  '--disable-gpu',
  '--disable-quic',
  '--no-first-run',
  '--disable-background-networking',
  '--disable-component-update',
  '--disable-sync',
]

/** Where Chromium is on this machine: `CHROMIUM_PATH`, else a usual place; undefined where it is not installed. */
export function findChromium(): string | undefined {
  return process.env.CHROMIUM_PATH || places.find((path) => existsSync(path))
}

/** Starts the Chromium of this machine, without a window. */
export function launchChromium(executablePath: string): Promise<Browser> {
  return chromium.launch({ executablePath, args: quietArgs })
}

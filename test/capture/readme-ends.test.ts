import { readFileSync } from 'node:fs'
import { expect, it } from 'vitest'
import { answering, type CaptureSetup, messages, post, useCaptureSetup } from './capture-setup.js'

const capture = useCaptureSetup()
const readme = readFileSync(new URL('../../README.md', import.meta.url), 'utf8')
const whole = { model: 'm', messages }
const stream = { ...whole, stream: true }

/** Each call of the table, made. */
const calls: Record<string, (setup: CaptureSetup) => unknown> = {
  'whose answer is read to its end': async ({ capturingFetch, chatUrl }) =>
    (await capturingFetch(chatUrl, post(stream))).text(),
  'whose provider tells no counts': async ({ capturing, chatUrl }) =>
    (await capturing(answering('{"choices":[]}', 'application/json'))(chatUrl, post(whole))).text(),
  'that is an image request': async ({ capturingFetch, standIn }) =>
    (await capturingFetch(`${standIn.url}/v1/images/generations`, post({ model: 'dall-e-3', prompt: 'x' }))).text(),
  'whose stream your code or your user breaks off': (setup) => breakOff(setup, 'content":"'),
  'whose stream is broken off, of a provider that counts as it goes': (setup) => {
    setup.behaviour = { cumulativeUsage: true }
    return breakOff(setup, '"usage":{')
  },
  'whose stream is broken off before any text came': async ({ capturingFetch, chatUrl }) =>
    (await capturingFetch(chatUrl, post(stream))).body?.cancel(),
  'whose stream nobody reads on': async (setup) => {
    await readUntil(await setup.capturingFetch(setup.chatUrl, post(stream)), 'content":"')
    for (const open of setup.recorder.openCalls) open.giveUp()
  },
  'that is given up before there is an answer': ({ capturingFetch, chatUrl }) =>
    capturingFetch(chatUrl, post(stream, AbortSignal.abort())).catch(() => {}),
  'whose stream is cut, or reports an error': async (setup) => {
    for (const behaviour of [{ cutAfterParts: 6 }, { errorAfterParts: 6 }]) {
      setup.behaviour = { words: 20, ...behaviour }
      await setup
        .capturingFetch(setup.chatUrl, post(stream))
        .then((response) => response.text())
        .catch(() => {})
    }
  },
  'whose answer is no stream, and cut or unreadable': async (setup) => {
    for (const behaviour of [{ cutAfterParts: 0 }, { malformed: true }]) {
      setup.behaviour = behaviour
      await setup
        .capturingFetch(setup.chatUrl, post(whole))
        .then((response) => response.text())
        .catch(() => {})
    }
  },
  'that is refused, or gets no answer': async (setup) => {
    setup.behaviour = { status: 429 }
    await (await setup.capturingFetch(setup.chatUrl, post(whole))).text()
    const failing = setup.capturing(() => Promise.reject(new TypeError('fetch failed')))
    await failing(setup.chatUrl, post(whole)).catch(() => {})
  },
}

it.each(Object.keys(calls))('the README tells the truth of a call %s', async (name) => {
  const setup = capture()

  await calls[name]?.(setup)

  const { rows } = setup.recorder
  expect(rows.length).toBeGreaterThan(0)
  for (const { status, usageSource } of rows)
    expect(readme).toContain(`| ${name} | \`${status}\` | \`${usageSource}\` |`)
})

it('the README names no other call', () => {
  const table = readme.split('| a call | `status` | `usage_source` |\n|---|---|---|\n')[1]?.split('\n\n')[0] ?? ''

  expect(table.split('\n').map((line) => line.split('|')[1]?.trim())).toEqual(Object.keys(calls))
})

async function breakOff({ capturingFetch, chatUrl }: CaptureSetup, after: string): Promise<void> {
  const response = await capturingFetch(chatUrl, post({ ...stream, stream_options: { include_usage: true } }))
  await readUntil(response, after)
  await response.body?.cancel()
}

/** Reads on until more than an empty text has come. */
async function readUntil(response: Response, after: string): Promise<void> {
  const reader = response.body?.getReader()
  const decoder = new TextDecoder()
  let text = ''
  while (reader && !text.replace('content":""', '').includes(after)) {
    const { value, done } = await reader.read()
    if (done) break
    text += decoder.decode(value, { stream: true })
  }
  reader?.releaseLock()
}

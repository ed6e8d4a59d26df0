import { spawnSync } from 'node:child_process'
import { setTimeout as sleep } from 'node:timers/promises'
import { pathToFileURL } from 'node:url'
import { expect, it, onTestFinished, vi } from 'vitest'
import { createUsageLogger, MemoryExporter } from '../../src/index.js'
import { bundleScript } from '../support/bundle-script.js'
import { post } from './capture-setup.js'

const url = 'https://host.example/v1/chat/completions'
const event = 'data: {"choices":[{"delta":{"content":"Every call"}}]}\n\n'
const lastEvents =
  'data: {"choices":[{"delta":{"content":"Every"},"finish_reason":"stop"}]}\n\n' +
  'data: {"choices":[],"usage":{"prompt_tokens":5,"completion_tokens":7}}\n\ndata: [DONE]\n\n'
const request = { model: 'gpt-5', messages: [{ role: 'user', content: 'How?' }], stream: true }
const quiet = { info: () => {}, warn: () => {}, error: () => {} }

it('writes the row of a call that still runs when the logger is closed', async () => {
  const exporter = new MemoryExporter()
  const innerFetch: typeof fetch = async (_input, init) => {
    if (String(init?.body).includes('no answer')) return new Promise(() => {})
    const body = new ReadableStream({ start: (controller) => controller.enqueue(Buffer.from(event)) })
    return new Response(body, { headers: { 'content-type': 'text/event-stream' } })
  }
  const usage = createUsageLogger({ enabled: true, exporter, logger: quiet, fetch: innerFetch })
  const response = await usage.run({ user: 'ann@example.com' }, () => usage.fetch(url, post(request)))
  await response.body?.getReader().read()
  void usage.fetch(url, post({ ...request, model: 'no answer' }))

  await usage.close({ timeoutMs: 250 })

  expect(usage.stats()).toMatchObject({ accepted: 2, written: 2, pending: 0, dropped: 0 })
  expect(exporter.records).toMatchObject([
    { status: 'aborted', usageSource: 'estimated', userEmail: 'ann@example.com', modelName: 'gpt-5' },
    { status: 'aborted', usageSource: 'unknown', userEmail: 'anonymous', modelName: 'no answer' },
  ])
})

/** A fetch whose answers are streams that the test goes on with. */
function setUpStreams() {
  const exporter = new MemoryExporter()
  const controllers: ReadableStreamDefaultController[] = []
  const innerFetch: typeof fetch = async () => {
    const body = new ReadableStream({ start: (controller) => void controllers.push(controller) })
    return new Response(body, { headers: { 'content-type': 'text/event-stream' } })
  }
  const usage = createUsageLogger({ enabled: true, exporter, logger: quiet, fetch: innerFetch })
  const call = async () => (await usage.fetch(url, post(request))).text()
  const answer = (index: number) => {
    controllers[index]?.enqueue(Buffer.from(lastEvents))
    controllers[index]?.close()
  }
  return { usage, exporter, call, answer, controllers }
}

it('waits at close() for the calls that still run, and for those that begin meanwhile', async () => {
  const { usage, exporter, call, answer, controllers } = setUpStreams()
  const first = call()
  await expect.poll(() => controllers).toHaveLength(1)

  const closing = Promise.all([usage.close(), usage.close({ timeoutMs: 1 }), usage.flush()])
  const second = call()
  await expect.poll(() => controllers).toHaveLength(2)
  answer(0)
  await first
  await sleep(50)
  usage.log({ modelName: 'by hand', inputTokens: 1, outputTokens: 1 })
  answer(1)
  await Promise.all([second, closing])

  expect(exporter.records.map(({ status, outputTokens }) => [status, outputTokens])).toEqual([
    ['ok', 7],
    ['ok', 1],
    ['ok', 7],
  ])
  expect(usage.stats()).toMatchObject({ state: 'closed', accepted: 3, written: 3, dropped: 0 })
})

it('writes the row of a call that begins while the last rows are written', async () => {
  const { usage, exporter, call, answer, controllers } = setUpStreams()
  let late: Promise<string> | undefined
  const store = exporter.export.bind(exporter)
  exporter.export = async (records) => {
    late ??= call()
    await expect.poll(() => controllers).toHaveLength(1)
    await store(records)
  }
  usage.log({ modelName: 'by hand', inputTokens: 1, outputTokens: 1 })

  const closing = usage.close()
  await expect.poll(() => usage.stats().written).toBe(1)
  answer(0)
  await Promise.all([late, closing])

  expect(exporter.records.map(({ status }) => status)).toEqual(['ok', 'ok'])
})

it('does not wait at close() for a stream that nobody has read on for five seconds', async () => {
  const { usage, exporter, controllers } = setUpStreams()
  const reader = (await usage.fetch(url, post(request))).body?.getReader()
  controllers[0]?.enqueue(Buffer.from(event))
  await reader?.read()
  const now = performance.now.bind(performance)
  const clock = vi.spyOn(performance, 'now').mockImplementation(() => now() + 5001)
  onTestFinished(() => clock.mockRestore())

  await usage.close()

  expect(exporter.records).toMatchObject([{ status: 'aborted', usageSource: 'estimated' }])
})

const script = (end: string) => `
  import { createUsageLogger, MemoryExporter } from '${pathToFileURL(bundleScript('src/index.ts'))}'
  const exporter = new MemoryExporter()
  const body = new ReadableStream({ start: (controller) => controller.enqueue(Buffer.from(${JSON.stringify(event)})) })
  const usage = createUsageLogger({
    enabled: true,
    exporter,
    fetch: async () => new Response(body, { headers: { 'content-type': 'text/event-stream' } }),
  })
  const init = { method: 'POST', body: ${JSON.stringify(JSON.stringify(request))} }
  const response = await usage.fetch(${JSON.stringify(url)}, init)
  await response.body.getReader().read()
  process.on('exit', () => console.log(JSON.stringify(exporter.records.map(({ status }) => status))))
  ${end}`

const run = (end: string) =>
  spawnSync(process.execPath, ['--input-type=module', '--eval', script(end)], {
    encoding: 'utf8',
  })

it('writes the row of a call that a script leaves open when it simply ends', () => {
  const { status, stdout } = run('')

  expect([status, JSON.parse(stdout)]).toEqual([0, ['aborted']])
})

it('counts a call that is cut short with the process among the rows that are lost', () => {
  const { status, stderr } = run('process.exit(3)')

  expect(status).toBe(3)
  expect(stderr).toContain('the process ends with 1 usage rows not written')
})

import { spawnSync } from 'node:child_process'
import { fileURLToPath } from 'node:url'
import { expect, it } from 'vitest'
import { createUsageLogger, MemoryExporter } from '../../src/index.js'
import { post } from './capture-setup.js'

const url = 'https://host.example/v1/chat/completions'
const event = 'data: {"choices":[{"delta":{"content":"Every call"}}]}\n\n'
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

  await usage.close()

  expect(usage.stats()).toMatchObject({ accepted: 2, written: 2, pending: 0, dropped: 0 })
  expect(exporter.records).toMatchObject([
    { status: 'aborted', usageSource: 'estimated', userEmail: 'ann@example.com', modelName: 'gpt-5' },
    { status: 'aborted', usageSource: 'unknown', userEmail: 'anonymous', modelName: 'no answer' },
  ])
})

const script = (end: string) => `
  import { createUsageLogger, MemoryExporter } from './src/index.ts'
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
  spawnSync(process.execPath, ['--import', 'tsx', '--input-type=module', '--eval', script(end)], {
    encoding: 'utf8',
    cwd: fileURLToPath(new URL('../..', import.meta.url)),
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

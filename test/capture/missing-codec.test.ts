import { expect, it, vi } from 'vitest'
import { answering, messages, post, useCaptureSetup } from './capture-setup.js'

vi.mock('node:module', async (original) => ({
  ...(await original<typeof import('node:module')>()),
  createRequire: () => () => {
    throw new Error('Cannot find module')
  },
}))

const capture = useCaptureSetup()

it('records a Bedrock stream as unknown without the codec, and says once what to install', async () => {
  const { recorder, capturing } = capture()
  const url = 'https://bedrock-runtime.us-east-1.amazonaws.com/model/a.b/converse-stream'
  const bytes = Buffer.concat([Buffer.from([0, 0, 0, 20]), Buffer.alloc(16)])
  const capturingFetch = capturing(answering(ReadableStream.from([bytes]), 'application/vnd.amazon.eventstream'))

  const response = await capturingFetch(url, post({ messages }))
  const received = Buffer.from(await response.arrayBuffer())

  expect(received).toEqual(bytes)
  expect(recorder.rows).toMatchObject([{ provider: 'bedrock', modelName: 'a.b', usageSource: 'unknown', status: 'ok' }])
  expect(recorder.lines).toEqual([expect.stringContaining('install @smithy/eventstream-codec')])
})

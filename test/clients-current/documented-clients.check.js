import { createServer } from 'node:http'
import {
  BedrockRuntimeClient,
  ConverseCommand,
  ConverseStreamCommand,
  InvokeModelCommand,
} from '@aws-sdk/client-bedrock-runtime'
import { Mistral } from '@mistralai/mistralai'
import { HTTPClient } from '@mistralai/mistralai/lib/http'
import { EventStreamCodec } from '@smithy/eventstream-codec'
import { FetchHttpHandler } from '@smithy/fetch-http-handler'
import { CohereClient, CohereClientV2 } from 'cohere-ai'
import { expect, it, onTestFinished } from 'vitest'
import { createUsageLogger, MemoryExporter } from '../../src/index.js'

const messages = [{ role: 'user', content: 'Wie viele?' }]

it('records the calls of @mistralai/mistralai by its HTTPClient', async () => {
  const usage = { prompt_tokens: 11, completion_tokens: 7, total_tokens: 18 }
  const head = { id: 'm1', created: 1, model: 'mistral-small-2603' }
  const answer = {
    ...head,
    object: 'chat.completion',
    usage,
    choices: [choice({ message: { role: 'assistant', content: 'Drei.' } })],
  }
  const chunks = [{ ...head, choices: [choice({ delta: { content: 'Drei.' } })], usage }]
  const { url, logger, rows } = await start(({ stream }) => (stream ? events([...chunks, '[DONE]']) : json(answer)))

  const mistral = new Mistral({ serverURL: url, apiKey: 'none', httpClient: new HTTPClient({ fetcher: logger.fetch }) })
  await mistral.chat.complete({ model: 'mistral-small-latest', messages })
  for await (const _event of await mistral.chat.stream({ model: 'mistral-small-latest', messages }));

  const row = {
    status: 'ok',
    usageSource: 'provider',
    modelName: 'mistral-small-2603',
    inputTokens: 11,
    outputTokens: 7,
  }
  expect(await rows()).toMatchObject([row, row])
})

it('records the calls of cohere-ai, both versions, by its fetch option', async () => {
  const usage = { billed_units: { input_tokens: 5, output_tokens: 7 }, tokens: { input_tokens: 11, output_tokens: 7 } }
  const content = [{ type: 'text', text: 'Drei.' }]
  const answer = { id: 'c2', finish_reason: 'COMPLETE', message: { role: 'assistant', content }, usage }
  const ending = [
    { type: 'message-start', id: 'c2' },
    { type: 'message-end', delta: { finish_reason: 'COMPLETE', usage } },
  ]
  const meta = { billed_units: usage.billed_units, tokens: usage.tokens }
  const answerV1 = { response_id: 'c1', generation_id: 'g', text: 'Drei.', finish_reason: 'COMPLETE', meta }
  const { url, logger, rows } = await start(({ stream }, path) => {
    if (path === '/v1/chat') return json(answerV1)
    return stream ? events(ending) : json(answer)
  })

  const cohere = new CohereClientV2({ environment: url, token: 'none', fetch: logger.fetch })
  await cohere.chat({ model: 'command-a', messages })
  for await (const _event of await cohere.chatStream({ model: 'command-a', messages }));
  await new CohereClient({ environment: url, token: 'none', fetch: logger.fetch }).chat({
    model: 'command-r',
    message: 'Hm?',
  })

  const row = { status: 'ok', usageSource: 'provider', provider: 'cohere', inputTokens: 11, outputTokens: 7 }
  expect(await rows()).toMatchObject([row, row, row])
})

it('records the calls of @aws-sdk/client-bedrock-runtime by a handler that takes a fetch', async () => {
  const usage = { inputTokens: 11, outputTokens: 7, totalTokens: 18 }
  const answer = {
    output: { message: { role: 'assistant', content: [{ text: 'Drei.' }] } },
    stopReason: 'end_turn',
    usage,
    metrics: { latencyMs: 1 },
  }
  const frames = [
    frame('messageStart', { role: 'assistant' }),
    frame('contentBlockDelta', { contentBlockIndex: 0, delta: { text: 'Drei.' } }),
    frame('messageStop', { stopReason: 'end_turn' }),
    frame('metadata', { usage, metrics: { latencyMs: 1 } }),
  ]
  const claude = {
    id: 'b',
    type: 'message',
    role: 'assistant',
    content: [],
    usage: { input_tokens: 11, output_tokens: 7 },
  }
  const { url, logger, rows } = await start((_body, path) => {
    if (path.endsWith('/converse-stream')) return ['application/vnd.amazon.eventstream', frames]
    return json(path.endsWith('/invoke') ? claude : answer)
  })

  const bedrock = new BedrockRuntimeClient({
    region: 'eu-central-1',
    endpoint: url,
    credentials: { accessKeyId: 'none', secretAccessKey: 'none' },
    requestHandler: new FetchHttpHandler({ customFetch: logger.fetch }),
  })
  const request = {
    modelId: 'anthropic.claude-sonnet-5-v1:0',
    messages: [{ role: 'user', content: [{ text: 'Hm?' }] }],
  }
  await bedrock.send(new ConverseCommand(request))
  const texts = []
  for await (const event of (await bedrock.send(new ConverseStreamCommand(request))).stream)
    if (event.contentBlockDelta) texts.push(event.contentBlockDelta.delta.text)
  await bedrock.send(new InvokeModelCommand({ modelId: request.modelId, body: '{}' }))

  const row = { status: 'ok', provider: 'bedrock', modelName: request.modelId, inputTokens: 11, outputTokens: 7 }
  expect(texts).toEqual(['Drei.'])
  expect(await rows()).toMatchObject([row, row, row])
})

it('returns these clients from track() as they are, with a line each', () => {
  const lines = []
  const write = (_fields, line) => lines.push(line)
  const logger = createUsageLogger({
    enabled: true,
    exporter: new MemoryExporter(),
    logger: { info: write, warn: write, error: write },
  })
  const clients = [
    new Mistral(),
    new CohereClientV2({ token: 'none' }),
    new BedrockRuntimeClient({ region: 'eu-central-1' }),
  ]

  const tracked = clients.map((client) => logger.track(client))

  expect(tracked.every((client, index) => client === clients[index])).toBe(true)
  expect(lines).toEqual(clients.map((client) => expect.stringContaining(`${client.constructor.name} is not known`)))
})

/** A server that answers each request so, a logger, and what it has recorded. */
async function start(answer) {
  const server = createServer(async (request, response) => {
    const chunks = []
    for await (const chunk of request) chunks.push(chunk)
    const [type, parts] = answer(JSON.parse(Buffer.concat(chunks).toString()), decodeURIComponent(request.url))
    response.writeHead(200, { 'content-type': type })
    for (const part of parts) response.write(part)
    response.end()
  })
  await new Promise((resolve) => server.listen(0, '127.0.0.1', resolve))
  const exporter = new MemoryExporter()
  const logger = createUsageLogger({ enabled: true, exporter })
  onTestFinished(async () => {
    await logger.close()
    server.closeAllConnections()
    await new Promise((resolve) => server.close(resolve))
  })
  const rows = async () => {
    await logger.flush()
    return exporter.records
  }
  return { url: `http://127.0.0.1:${server.address().port}`, logger, rows }
}

function choice(said) {
  return { index: 0, finish_reason: 'stop', ...said }
}

function json(answer) {
  return ['application/json', [JSON.stringify(answer)]]
}

function events(messages) {
  return [
    'text/event-stream',
    messages.map((one) => `data: ${typeof one === 'string' ? one : JSON.stringify(one)}\n\n`),
  ]
}

function frame(name, payload) {
  const text = (value) => ({ type: 'string', value })
  const codec = new EventStreamCodec(
    (bytes) => Buffer.from(bytes).toString(),
    (string) => Buffer.from(string),
  )
  return codec.encode({
    headers: {
      ':message-type': text('event'),
      ':event-type': text(name),
      ':content-type': text('application/json'),
    },
    body: Buffer.from(JSON.stringify(payload)),
  })
}

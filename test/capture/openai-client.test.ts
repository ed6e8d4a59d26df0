import { expect, it } from 'vitest'
import { trackClient } from '../../src/capture/track-client.js'
import { collect, expectCounted, messages, startClients } from './stand-in-clients.js'

it('records a whole answer with the counts of the provider', async () => {
  const { openai, recorder, rows, calls } = await startClients()

  const answer = await trackClient(openai, recorder).chat.completions.create({ model: 'gpt-5-mini', messages })

  expect(answer.choices[0]?.message.content).toBeTruthy()
  expect(rows).toHaveLength(1)
  expectCounted(rows[0], calls[0])
  expect(rows[0]).toMatchObject({ cacheReadTokens: calls[0]?.counts.cacheReadTokens })
  expect(rows[0]?.rawUsage).toMatchObject({ service_tier: 'default', prompt_tokens: calls[0]?.counts.inputTokens })
})

it('records a stream whose application did not ask for usage, and shows it no usage', async () => {
  const { openai, recorder, rows, calls } = await startClients()
  const tracked = trackClient(openai, recorder)

  const chunks = await collect(await tracked.chat.completions.create({ model: 'gpt-5', messages, stream: true }))

  expect(rows).toHaveLength(1)
  expectCounted(rows[0], calls[0])
  expect(calls[0]?.requestBody.stream_options).toEqual({ include_usage: true })
  expect(chunks.every((chunk) => chunk.choices.length === 1 && !chunk.usage)).toBe(true)
  expect(chunks).toHaveLength((calls[0]?.parts ?? 0) - 2)
})

it('keeps the usage chunk and the request of an application that asked itself', async () => {
  const { openai, recorder, rows, calls } = await startClients()
  const request = { model: 'gpt-5', messages, stream: true, stream_options: { include_usage: true } } as const

  const chunks = await collect(await trackClient(openai, recorder).chat.completions.create(request))

  expectCounted(rows[0], calls[0])
  expect(chunks.at(-1)).toMatchObject({ choices: [], usage: { prompt_tokens: rows[0]?.inputTokens } })
  expect(calls[0]?.requestBody).toEqual(request)
})

it('records a stream that is broken off as aborted, and the provider sees the disconnect', async () => {
  const { openai, recorder, rows, calls } = await startClients({ words: 500, partDelayMs: 3 })
  const stream = await trackClient(openai, recorder).chat.completions.create({ model: 'm', messages, stream: true })

  for await (const _chunk of stream) break

  expect(rows).toHaveLength(1)
  expect(rows[0]).toMatchObject({ status: 'aborted', usageSource: 'unknown', inputTokens: null, outputTokens: null })
  expect(rows[0]).toMatchObject({ modelName: 'm', responseId: calls[0]?.responseId })
  await expect.poll(() => calls[0]?.outcome).toBe('disconnected')
})

it('records a call whose signal fires before there is an answer, or in the middle of it', async () => {
  const { openai, recorder, rows, calls } = await startClients({ words: 500, partDelayMs: 3 }, { partDelayMs: 5000 })
  const tracked = trackClient(openai, recorder)
  const [first, second] = [new AbortController(), new AbortController()]

  const stream = await tracked.chat.completions.create({ model: 'm', messages, stream: true }, { signal: first.signal })
  for await (const _chunk of stream) first.abort()
  const waiting = tracked.chat.completions.create({ model: 'm', messages }, { signal: second.signal })
  await expect.poll(() => calls.length).toBe(2)
  second.abort()

  await expect(waiting).rejects.toThrow('aborted')
  await expect.poll(() => rows.map((row) => row.status)).toEqual(['aborted', 'aborted'])
})

it('records every attempt of a client that tries again', async () => {
  const { openai, recorder, rows, calls } = await startClients({ status: 503 })

  await trackClient(openai, recorder).chat.completions.create({ model: 'm', messages })

  expect(rows).toHaveLength(2)
  expect(rows[0]).toMatchObject({ status: 'error', usageSource: 'unknown', modelName: 'm', inputTokens: null })
  expectCounted(rows[1], calls[1])
})

it('records an answer that is cut, reports an error or cannot be read as an error', async () => {
  const { openai, recorder, rows } = await startClients(
    { cutAfterParts: 4 },
    { errorAfterParts: 4 },
    { malformed: true },
  )
  const tracked = trackClient(openai, recorder)

  for (const _ of [1, 2]) {
    const stream = await tracked.chat.completions.create({ model: 'm', messages, stream: true })
    await expect(collect(stream)).rejects.toThrow()
  }
  await expect(tracked.chat.completions.create({ model: 'm', messages })).rejects.toThrow()

  expect(rows.map((row) => [row.status, row.usageSource])).toEqual([
    ['error', 'estimated'],
    ['error', 'estimated'],
    ['error', 'unknown'],
  ])
})

it('takes the last of the counts that a provider repeats in every chunk, and marks them when broken off', async () => {
  const { openai, recorder, rows, calls } = await startClients(
    { cumulativeUsage: true, words: 20 },
    { cumulativeUsage: true, words: 400, partDelayMs: 2 },
  )
  const tracked = trackClient(openai, recorder)
  const request = { model: 'm', messages, stream: true } as const

  await collect(await tracked.chat.completions.create(request))
  for await (const chunk of await tracked.chat.completions.create(request)) if (chunk.usage) break

  expectCounted(rows[0], calls[0])
  expect(rows[1]).toMatchObject({ status: 'aborted', usageSource: 'provider_partial' })
  expect(rows[1]?.inputTokens).toBe(calls[1]?.counts.inputTokens)
})

it('records an image as 1 and 1 with what the provider counted beside it', async () => {
  const { openai, recorder, rows, calls } = await startClients()
  const tracked = trackClient(openai, recorder)
  const image = new File(['png'], 'image.png')

  await tracked.images.generate({ model: 'gpt-image-1', prompt: 'a ledger' })
  await tracked.images.generate({ model: 'dall-e-3', prompt: 'a ledger', response_format: 'url' })
  await tracked.images.edit({ model: 'gpt-image-1', image, prompt: 'more paper' })

  const fixed = { requestType: 'image', usageSource: 'fixed', status: 'ok', inputTokens: 1, outputTokens: 1 }
  expect(rows).toMatchObject([fixed, fixed, fixed])
  expect(rows.map((row) => row.modelName)).toEqual(['gpt-image-1', 'dall-e-3', 'gpt-image-1'])
  expect(rows[0]?.rawUsage).toMatchObject({ output_tokens: calls[0]?.counts.outputTokens })
  expect(rows[1]?.rawUsage).toEqual({ images: 1 })
})

it('records nothing for what is no call of a model', async () => {
  const { openai, recorder, rows } = await startClients()

  await trackClient(openai, recorder).models.list()

  expect(rows).toEqual([])
})

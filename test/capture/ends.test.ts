import { beforeAll, describe, expect, it } from 'vitest'
import { createCapturingFetch } from '../../src/capture/capturing-fetch.js'
import type { OnAbort } from '../../src/recording/usage-recorder.js'
import { estimateTokens, loadTokenizer } from '../../src/usage/estimate-tokens.js'
import { createArrayRecorder } from './array-recorder.js'
import { post } from './capture-setup.js'
import { consumed, question, type StreamSample, streamSamples } from './stream-samples.js'

beforeAll(() => loadTokenizer())

type Reader = ReadableStreamDefaultReader<Uint8Array>
type Answer = { readonly response: Response; readonly reader: Reader; readonly abort: AbortController }
/** What a provider sends, and what it does after that. */
type Script = {
  readonly texts: readonly string[]
  readonly ending: 'stalls' | 'closes' | 'breaks'
  readonly onAbort?: OnAbort
}

/** How an application leaves a stream of which it has read some pieces. */
const waysToLeave: Record<string, (answer: Answer) => unknown> = {
  'cancels its reader': ({ reader }) => reader.cancel(),
  'cancels the body': ({ response, reader }) => {
    reader.releaseLock()
    return response.body?.cancel()
  },
  'breaks out of its loop': ({ response, reader }) => {
    reader.releaseLock()
    return response.body?.values().return?.()
  },
  'gives its signal while it waits': ({ reader, abort }) => {
    const waiting = reader.read()
    abort.abort()
    return waiting.catch(() => {})
  },
  'gives its signal while it does not read': ({ abort }) => {
    abort.abort()
    return new Promise(setImmediate)
  },
}

describe.each(streamSamples)('a stream of $name', (sample) => {
  const texts = sample.pieces.map(({ data }) => data)
  const pieceCounts = Array.from({ length: texts.length + 1 }, (_, count) => count)

  it('is recorded once when it is read to its end', async () => {
    const { reader, recorder } = await ask(sample, { texts, ending: 'closes' })

    while (!(await reader.read()).done);

    expect(recorder.rows).toMatchObject([{ status: 'ok', usageSource: 'provider', ...consumed }])
    expect(recorder.openCalls.size).toBe(0)
  })

  it.each(Object.keys(waysToLeave))('is recorded once wherever the application %s', async (way) => {
    for (const count of pieceCounts) {
      const answer = await ask(sample, { texts: texts.slice(0, count), ending: 'stalls' })
      for (let piece = 0; piece < count; piece++) await answer.reader.read()

      await waysToLeave[way]?.(answer)

      expect(answer.recorder.rows, `after ${count} pieces`).toMatchObject([expectRow(sample, count, 'aborted')])
      expect(answer.recorder.openCalls.size).toBe(0)
    }
  })

  it('is recorded once wherever the connection breaks or the provider falls silent, garbles or reports an error', async () => {
    for (const count of pieceCounts.slice(0, sample.completedBy)) {
      const told = texts.slice(0, count)
      const answers = [
        await ask(sample, { texts: told, ending: 'breaks' }),
        await ask(sample, { texts: told, ending: 'closes' }),
        await ask(sample, { texts: [...told, texts[count]?.slice(0, -9) ?? ''], ending: 'closes' }),
        await ask(sample, { texts: [...told, sample.errorPiece], ending: 'stalls' }),
      ]

      for (const { reader, recorder } of answers) {
        while (recorder.rows.length === 0) await reader.read().catch(() => {})

        expect(recorder.rows, `after ${count} pieces`).toMatchObject([expectRow(sample, count, 'error')])
        await reader.cancel().catch(() => {})
        expect(recorder.rows).toHaveLength(1)
      }
    }
  })

  it('is recorded once when it is given up, up to where it was read, and passes on undisturbed', async () => {
    for (const count of pieceCounts) {
      const before = performance.now()
      const { reader, recorder } = await ask(sample, { texts, ending: 'closes' })
      let read = ''
      for (let piece = 0; piece < count; piece++) read += Buffer.from((await reader.read()).value ?? []).toString()
      const [open] = recorder.openCalls
      const lastedMs = (open?.unreadSince ?? Number.NaN) - before

      open?.giveUp()
      for (let next = await reader.read(); !next.done; next = await reader.read()) read += Buffer.from(next.value)

      expect(read).toBe(texts.join(''))
      expect(recorder.rows).toMatchObject([open ? expectRow(sample, count, 'aborted') : { status: 'ok' }])
      if (open) expect(recorder.rows[0]?.durationMs).toBeLessThanOrEqual(lastedMs)
    }
  })

  it('is not unread while the application waits for more', async () => {
    const { reader, recorder } = await ask(sample, { texts: texts.slice(0, 2), ending: 'stalls' })
    const [open] = recorder.openCalls
    const unreadSince: (number | undefined)[] = [open?.unreadSince]

    for (let piece = 0; piece < 2; piece++) await reader.read()
    unreadSince.push(open?.unreadSince)
    const waiting = reader.read()
    await new Promise(setImmediate)
    unreadSince.push(open?.unreadSince)

    expect(unreadSince).toEqual([expect.any(Number), expect.any(Number), undefined])
    await reader.cancel()
    await waiting
  })

  it('leaves unknown what is not to be estimated', async () => {
    const { reader, recorder } = await ask(sample, { texts: texts.slice(0, 4), ending: 'stalls', onAbort: 'unknown' })
    for (let piece = 0; piece < 4; piece++) await reader.read()

    await reader.cancel()

    const isInputTold = sample.inputToldBy !== undefined
    expect(recorder.rows).toMatchObject([
      {
        status: 'aborted',
        usageSource: isInputTold ? 'provider_partial' : 'unknown',
        inputTokens: isInputTold ? consumed.inputTokens : null,
        outputTokens: null,
      },
    ])
    expect(recorder.rows[0]?.rawUsage?.estimated).toBeUndefined()
  })
})

async function ask(sample: StreamSample, { texts, ending, onAbort }: Script) {
  const recorder = createArrayRecorder(onAbort)
  const abort = new AbortController()
  const innerFetch: typeof fetch = async (_input, init) => {
    const body = createBody(texts, ending, init?.signal ?? undefined)
    return new Response(body, { headers: { 'content-type': sample.contentType } })
  }
  const request = post(sample.request, abort.signal)
  const response = await createCapturingFetch(recorder, innerFetch)(`https://host.example${sample.path}`, request)
  return { recorder, abort, response, reader: (response.body as ReadableStream<Uint8Array>).getReader() }
}

// A piece comes when it is asked for; the signal breaks the body, as that of a real fetch does.
function createBody(
  texts: readonly string[],
  ending: Script['ending'],
  signal?: AbortSignal,
): ReadableStream<Uint8Array> {
  const rest = texts.map((text) => Buffer.from(text))
  return new ReadableStream<Uint8Array>(
    {
      start: (controller) => signal?.addEventListener('abort', () => controller.error(signal.reason)),
      pull(controller) {
        const piece = rest.shift()
        if (piece) controller.enqueue(piece)
        else if (ending === 'closes') controller.close()
        else if (ending === 'breaks') controller.error(new Error('terminated'))
        else return new Promise(() => {})
      },
    },
    { highWaterMark: 0 },
  )
}

function expectRow(sample: StreamSample, count: number, status: 'aborted' | 'error'): object {
  if (count > sample.completedBy) return { status: 'ok', usageSource: 'provider', ...consumed }
  const told = sample.pieces.slice(0, count)
  const text = told.map(({ says }) => says ?? '').join('')
  const isInputTold = sample.inputToldBy !== undefined && count > sample.inputToldBy
  if (text === '') {
    const inputTokens = isInputTold ? consumed.inputTokens : null
    return { status, usageSource: isInputTold ? 'provider_partial' : 'unknown', inputTokens, outputTokens: null }
  }
  const { model } = sample.request
  return {
    status,
    usageSource: 'estimated',
    inputTokens: isInputTold ? consumed.inputTokens : estimateTokens(question, model),
    outputTokens: estimateTokens(text, model),
    rawUsage: { estimated: isInputTold ? ['outputTokens'] : ['inputTokens', 'outputTokens'] },
  }
}

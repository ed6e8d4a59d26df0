import type { UsageRecorder } from '../recording/usage-recorder.js'
import { CallObserver } from './call-observer.js'
import { createComplaint } from './complaint.js'
import { languageModelAnswer } from './language-model-answer.js'

type Model = { readonly provider: string; readonly modelId: string }
type Settings = { readonly prompt: unknown; readonly abortSignal?: AbortSignal | undefined }
type Generation<Result> = {
  readonly doGenerate: () => PromiseLike<Result>
  readonly params: Settings
  readonly model: Model
}
type Streaming<Result> = {
  readonly doStream: () => PromiseLike<Result>
  readonly params: Settings
  readonly model: Model
}

/** A language model middleware of the AI SDK, versions 5 to 7, for `wrapLanguageModel()` or `wrapProvider()`. */
export interface LanguageModelMiddleware {
  readonly specificationVersion: 'v3'
  wrapGenerate<Result extends object>(call: Generation<Result>): Promise<Result>
  wrapStream<Result extends { readonly stream: ReadableStream }>(call: Streaming<Result>): Promise<Result>
}

/** What the AI SDK names otherwise than the rest of this library does. */
const providerNames: Readonly<Record<string, string>> = {
  'amazon-bedrock': 'bedrock',
  'azure-openai': 'azure',
  gateway: 'vercel',
  google: 'gemini',
  'google.vertex': 'vertex',
  togetherai: 'together',
}

/**
 * Middleware that records each call of a model. A middleware and no telemetry integration: it runs around the call, so
 * that it sees a stream break off, and a capturing fetch inside the same call knows of it and takes its place. As the
 * last in a list of middleware it sees what the model is really asked.
 */
export function createLanguageModelMiddleware(recorder: UsageRecorder): LanguageModelMiddleware {
  const complain = createComplaint(recorder)
  const observe = (model: Model, params: Settings, wantsStream: boolean) =>
    new CallObserver({
      format: languageModelAnswer,
      provider: nameOf(model.provider),
      request: {
        model: model.modelId,
        wantsStream,
        signal: params.abortSignal ?? null,
        readBody: () => ({ ...params }),
      },
      recorder,
      complain,
    })
  return {
    specificationVersion: 'v3',
    async wrapGenerate({ doGenerate, params, model }) {
      const observer = observe(model, params, false)
      const result = await failWith(observer, doGenerate)
      observer.message(result)
      return result
    },
    async wrapStream({ doStream, params, model }) {
      const observer = observe(model, params, true)
      const result = await failWith(observer, doStream)
      observer.wait()
      return { ...result, stream: watchParts(result.stream, observer) }
    },
  }
}

async function failWith<T>(observer: CallObserver, fn: () => PromiseLike<T>): Promise<T> {
  try {
    return await observer.around(fn)
  } catch (error) {
    observer.fail()
    throw error
  }
}

function watchParts(stream: ReadableStream, observer: CallObserver): ReadableStream {
  const reader = stream.getReader()
  return new ReadableStream(
    {
      start(controller) {
        // Rejects as soon as the stream breaks, also while nobody reads.
        reader.closed.catch((error) => {
          observer.fail()
          controller.error(error)
        })
      },
      async pull(controller) {
        observer.ask()
        const { done, value } = await reader.read()
        if (done) {
          observer.end()
          return controller.close()
        }
        if (value?.type === 'error') observer.fail()
        observer.message(value)
        controller.enqueue(value)
      },
      cancel(reason) {
        observer.cancel()
        return reader.cancel(reason)
      },
    },
    { highWaterMark: 0 },
  )
}

// `openai.responses` names the provider and its interface; `vertex.anthropic.messages` and `google.vertex.chat` the host.
function nameOf(provider: string): string {
  const [first = '', second] = String(provider).split('.')
  return providerNames[`${first}.${second}`] ?? providerNames[first] ?? first
}

import { countTokens, type StandInAnswer, type StandInQuestion, writeText } from './stand-in-answers.js'

const pathPattern = /\/models\/([^/]+):(generateContent|streamGenerateContent)$/

/** Gemini's answer, of AI Studio or Vertex AI alike; undefined where the path is none of generateContent's. */
export function createGeminiAnswer({ path, random, words }: StandInQuestion): StandInAnswer | undefined {
  const [, model, method] = pathPattern.exec(path) ?? []
  if (model === undefined) return undefined
  const text = writeText(random, words)
  const counts = { ...countTokens(random, words), cacheWriteTokens: 0 }
  const head = { modelVersion: model, responseId: random.id(22) }
  const chunk = (parts: readonly string[], share: number) => ({
    candidates: [
      {
        content: { parts: parts.map((part) => ({ text: part })), role: 'model' },
        ...(share === 1 && { finishReason: 'STOP' }),
        index: 0,
      },
    ],
    usageMetadata: usageMetadata(counts, share),
    ...head,
  })
  const error = { code: 503, message: 'The model is overloaded. Please try again later.', status: 'UNAVAILABLE' }
  const isStream = method === 'streamGenerateContent'
  const chunks = isStream ? text.map((part, index) => chunk([part], (index + 1) / text.length)) : [chunk(text, 1)]
  return {
    provider: 'gemini',
    requestType: 'chat',
    model,
    responseId: head.responseId,
    contentType: isStream ? 'text/event-stream' : 'application/json; charset=UTF-8',
    counts,
    parts: chunks.map((one) => (isStream ? `data: ${JSON.stringify(one)}\r\n\r\n` : JSON.stringify(one, null, 2))),
    errorPart: `data: ${JSON.stringify({ error })}\r\n\r\n`,
  }
}

type Counts = StandInAnswer['counts']

// Thoughts are counted beside the candidates, and what is zero is left out.
function usageMetadata({ inputTokens, outputTokens, cacheReadTokens, reasoningTokens }: Counts, share: number): object {
  const candidates = Math.ceil((outputTokens - reasoningTokens) * share)
  return {
    promptTokenCount: inputTokens,
    candidatesTokenCount: candidates,
    totalTokenCount: inputTokens + candidates + reasoningTokens,
    promptTokensDetails: [{ modality: 'TEXT', tokenCount: inputTokens }],
    ...(cacheReadTokens > 0 && { cachedContentTokenCount: cacheReadTokens }),
    ...(reasoningTokens > 0 && { thoughtsTokenCount: reasoningTokens }),
  }
}

import type { PricedCall } from './call-cost.js'
import type { TokenKind } from './price.js'
import { amountIn, countIn, findCount, objectIn, objectsIn, type RawUsage } from './raw-numbers.js'

/** What a call is charged for, each token once. */
export type BillableUsage = {
  /** All input together, which decides the context tier. */
  readonly inputTokens: number
  readonly tokens: Readonly<Record<TokenKind, number>>
  /** Images whose tokens nobody counted. */
  readonly images: number
  readonly webSearches: number
  readonly audioSeconds: number
  /** How often the fee of a request is charged. */
  readonly requests: number
}

type Totals = {
  readonly input: number
  readonly output: number
  readonly cacheRead: number
  readonly cacheWrite: number
  readonly reasoning: number
}

type OutputKind = 'output' | 'reasoning' | 'outputAudio' | 'outputImage' | 'outputVideo'
type OutputTokens = Readonly<Record<OutputKind, number>>
type InputTokens = Readonly<Record<Exclude<TokenKind, OutputKind>, number>>
type Media = { readonly audio: number; readonly image: number; readonly video: number }

const noTokens: Totals = { input: 0, output: 0, cacheRead: 0, cacheWrite: 0, reasoning: 0 }
const noMedia: Media = { audio: 0, image: 0, video: 0 }

/** What is charged of a call; null where its usage is unknown, contradicts itself, or holds what no price is for. */
export function countBillable(call: PricedCall, raw: RawUsage, requests = 1): BillableUsage | null {
  const audioSeconds = raw.type === 'duration' ? amountIn(raw, 'seconds') : amountIn(raw, 'prompt_audio_seconds')
  const isImage = call.usageSource === 'fixed'
  const totals = isImage ? imageTotals(raw) : (billedTotals(raw) ?? totalsOf(call, audioSeconds))
  if (totals === null || hasUnpricedPart(raw)) return null
  const input = splitInput(totals, raw)
  const output = splitOutput(totals, raw, isImage)
  const images = isImage && totals.input + totals.output === 0 ? imagesOf(call, raw) : 0
  if (input === null || output === null || images === null) return null
  return {
    inputTokens: totals.input,
    tokens: tokensOf(input, output),
    images,
    webSearches: webSearchesOf(raw),
    audioSeconds,
    requests,
  }
}

// Of a request that failed or was given up nobody knows whether an image was made.
function imagesOf({ status }: PricedCall, raw: RawUsage): number | null {
  return findCount(raw, 'images') ?? (status === 'ok' ? 1 : null)
}

// Field by field: to spread two objects into one takes ten times as long.
function tokensOf(input: InputTokens, output: OutputTokens): BillableUsage['tokens'] {
  return {
    input: input.input,
    cacheRead: input.cacheRead,
    cacheWrite5m: input.cacheWrite5m,
    cacheWrite1h: input.cacheWrite1h,
    inputAudio: input.inputAudio,
    inputImage: input.inputImage,
    inputVideo: input.inputVideo,
    cacheReadAudio: input.cacheReadAudio,
    cacheReadImage: input.cacheReadImage,
    output: output.output,
    reasoning: output.reasoning,
    outputAudio: output.outputAudio,
    outputImage: output.outputImage,
    outputVideo: output.outputVideo,
  }
}

// Of an answer that was broken off one count may not have been told, and is 0 in the row.
function totalsOf(call: PricedCall, audioSeconds: number): Totals | null {
  const { usageSource, inputTokens: input, outputTokens: output } = call
  if (usageSource === 'unknown') return audioSeconds > 0 ? noTokens : null
  if (usageSource === 'provider_partial' && (input === 0 || output === 0)) return null
  const { cacheReadTokens, cacheWriteTokens, reasoningTokens } = call
  return {
    input,
    output,
    cacheRead: cacheReadTokens ?? 0,
    cacheWrite: cacheWriteTokens ?? 0,
    reasoning: reasoningTokens ?? 0,
  }
}

// Cohere charges less than the model read and wrote.
function billedTotals(raw: RawUsage): Totals | null {
  if (raw.billed_units === undefined) return null
  const billed = objectIn(raw, 'billed_units')
  const input = findCount(billed, 'input_tokens')
  return input === null ? null : { ...noTokens, input, output: countIn(billed, 'output_tokens') }
}

// A row has 1 and 1 for an image; what the provider counted, if it did, is in its own numbers.
function imageTotals(raw: RawUsage): Totals {
  const cacheRead = countIn(objectIn(raw, 'input_tokens_details'), 'cached_tokens')
  return { ...noTokens, input: countIn(raw, 'input_tokens'), output: countIn(raw, 'output_tokens'), cacheRead }
}

function splitInput({ input, cacheRead, cacheWrite }: Totals, raw: RawUsage): InputTokens | null {
  const media = mediaOf(raw, inputDetailNames, 'promptTokensDetails')
  const cached = cachedMedia(media, { input, cacheRead, cacheWrite }, raw)
  const cacheWrite1h = cacheWrite === 0 ? 0 : Math.min(cacheWrite, hourWrites(raw))
  const inputAudio = media.audio - cached.audio
  const inputImage = media.image - cached.image
  const tokens = {
    input: input - cacheRead - cacheWrite - inputAudio - inputImage - media.video,
    cacheRead: cacheRead - cached.audio - cached.image,
    cacheWrite5m: cacheWrite - cacheWrite1h,
    cacheWrite1h,
    inputAudio,
    inputImage,
    inputVideo: media.video,
    cacheReadAudio: cached.audio,
    cacheReadImage: cached.image,
  }
  return tokens.input < 0 || tokens.cacheRead < 0 || inputAudio < 0 || inputImage < 0 ? null : tokens
}

// Gemini tells it. Of others it shows only where the parts are more than the whole.
function cachedMedia(
  media: Media,
  { input, cacheRead, cacheWrite }: Omit<Totals, 'output' | 'reasoning'>,
  raw: RawUsage,
) {
  if (raw.cacheTokensDetails !== undefined) return mediaIn(raw, 'cacheTokensDetails')
  const { audio, image, video } = media
  const surplus = Math.max(0, cacheRead + cacheWrite + audio + image + video - input)
  const cachedAudio = Math.min(audio, cacheRead, surplus)
  return { audio: cachedAudio, image: Math.min(image, cacheRead - cachedAudio, surplus - cachedAudio) }
}

function hourWrites(raw: RawUsage): number {
  const told = countIn(objectIn(raw, 'cache_creation'), 'ephemeral_1h_input_tokens')
  const parts = objectsIn(raw, 'cacheDetails').filter(({ ttl }) => ttl === '1h')
  return told + parts.reduce((sum, part) => sum + countIn(part, 'inputTokens'), 0)
}

function splitOutput({ output, reasoning }: Totals, raw: RawUsage, isImage: boolean): OutputTokens | null {
  const media = mediaOf(raw, outputDetailNames, 'candidatesTokensDetails')
  const told = media.audio + media.image + media.video
  const isAllImage = isImage && told === 0 && countIn(objectIn(raw, 'output_tokens_details'), 'text_tokens') === 0
  const text = output - told
  // Some providers tell more reasoning than output; what is billed is the output.
  const reasoned = Math.min(reasoning, text)
  if (text < 0) return null
  return {
    output: isAllImage ? 0 : text - reasoned,
    reasoning: reasoned,
    outputAudio: media.audio,
    outputImage: isAllImage ? output : media.image,
    outputVideo: media.video,
  }
}

const inputDetailNames = [
  'prompt_tokens_details',
  'input_tokens_details',
  'input_token_details',
  'prompt_token_details',
]
const outputDetailNames = ['completion_tokens_details', 'output_tokens_details', 'completion_token_details']

function mediaOf(raw: RawUsage, detailNames: readonly string[], listName: string): Media {
  if (raw[listName] !== undefined) return mediaIn(raw, listName)
  const details = objectIn(raw, ...detailNames)
  const [audio, image] = [countIn(details, 'audio_tokens'), countIn(details, 'image_tokens')]
  return audio === 0 && image === 0 ? noMedia : { audio, image, video: 0 }
}

function mediaIn(raw: RawUsage, listName: string): Media {
  const counts = { AUDIO: 0, IMAGE: 0, VIDEO: 0 }
  for (const part of objectsIn(raw, listName)) {
    const { modality } = part
    if (modality === 'AUDIO' || modality === 'IMAGE' || modality === 'VIDEO')
      counts[modality] += countIn(part, 'tokenCount')
  }
  return { audio: counts.AUDIO, image: counts.IMAGE, video: counts.VIDEO }
}

function webSearchesOf(raw: RawUsage): number {
  const byAnthropic = countIn(objectIn(raw, 'server_tool_use'), 'web_search_requests')
  return byAnthropic + countIn(objectIn(objectIn(raw, 'tool_usage'), 'web_search'), 'num_requests')
}

// An image that a tool of OpenAI's made is charged at the price of a model that is not told, and one that Cohere embedded
// at a price that no list has.
function hasUnpricedPart(raw: RawUsage): boolean {
  const ofTool =
    raw.tool_usage === undefined ? 0 : countIn(objectIn(objectIn(raw, 'tool_usage'), 'image_gen'), 'total_tokens')
  return ofTool > 0 || (raw.billed_units !== undefined && countIn(objectIn(raw, 'billed_units'), 'image_tokens') > 0)
}

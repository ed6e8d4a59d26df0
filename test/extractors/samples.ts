import { bedrockSamples } from './bedrock-samples.js'
import { chatSamples } from './chat-samples.js'
import { makerSamples } from './maker-samples.js'
import { otherSamples } from './other-samples.js'

/** An answer of a provider in the shape it really has, and what must be read of it. */
export type Sample = {
  /** As in the row. */
  readonly provider: string
  readonly requestType: string
  readonly url: string
  readonly request: Readonly<Record<string, unknown>>
  /** The whole answer, or the events of a streamed one. */
  readonly messages: readonly unknown[]
  /** Input, output, cache read, cache write, reasoning. */
  readonly counts: readonly (number | null)[]
  /** What the model generated. */
  readonly text: string
  /** Null where only the request names it. */
  readonly model: string | null
}

export const samples: readonly Sample[] = [...chatSamples, ...makerSamples, ...bedrockSamples, ...otherSamples]

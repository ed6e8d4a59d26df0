import { afterEach, beforeEach } from 'vitest'
import { createCapturingFetch } from '../../src/capture/capturing-fetch.js'
import { type ProviderStandIn, type StandInBehaviour, startProviderStandIn } from '../support/provider-stand-in.js'
import { type ArrayRecorder, createArrayRecorder } from './array-recorder.js'

/** A question that every chat format takes. */
export const messages = [{ role: 'user', content: 'Wie viele?' }]

/** What each test of a file has anew. */
export class CaptureSetup {
  /** How the stand-in treats the next requests. */
  behaviour: StandInBehaviour = {}
  readonly recorder: ArrayRecorder = createArrayRecorder()
  /** On the global `fetch`. */
  readonly capturingFetch = createCapturingFetch(this.recorder, fetch)
  readonly standIn: ProviderStandIn

  constructor(standIn: ProviderStandIn) {
    this.standIn = standIn
  }

  get chatUrl(): string {
    return `${this.standIn.url}/v1/chat/completions`
  }

  readonly capturing = (innerFetch: typeof fetch): typeof fetch => {
    return createCapturingFetch(this.recorder, innerFetch)
  }
}

/** Makes a setup before each test of this file; the function returns the current one. */
export function useCaptureSetup(): () => CaptureSetup {
  let current: CaptureSetup
  beforeEach(async () => {
    const standIn = await startProviderStandIn({ seed: 5, behave: () => current.behaviour })
    current = new CaptureSetup(standIn)
  })
  afterEach(() => current.standIn.close())
  return () => current
}

/** A JSON request. */
export function post(body: object, signal?: AbortSignal): RequestInit {
  return { method: 'POST', headers: { 'content-type': 'application/json' }, body: JSON.stringify(body), signal }
}

/** A fetch that answers with this body whatever it is asked. */
export function answering(body: ConstructorParameters<typeof Response>[0], contentType?: string): typeof fetch {
  return async () => new Response(body, { headers: contentType === undefined ? {} : { 'content-type': contentType } })
}

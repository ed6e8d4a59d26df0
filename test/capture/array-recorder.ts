import type { CapturedCall, OnAbort, OpenCall, UsageRecorder } from '../../src/recording/usage-recorder.js'

export type ArrayRecorder = UsageRecorder & {
  readonly rows: CapturedCall[]
  /** Calls without a row. */
  readonly openCalls: Set<OpenCall>
  /** Every line written to `diagnostics`. */
  readonly lines: string[]
}

/** Keeps what capture records in an array. */
export function createArrayRecorder(onAbort: OnAbort = 'estimate'): ArrayRecorder {
  const rows: CapturedCall[] = []
  const openCalls = new Set<OpenCall>()
  const lines: string[] = []
  const write = (_fields: object, message: string) => {
    lines.push(message)
  }
  return {
    rows,
    openCalls,
    lines,
    onAbort,
    startCall(open) {
      openCalls.add(open)
      return (call) => {
        openCalls.delete(open)
        rows.push(call)
      }
    },
    diagnostics: { info: write, warn: write, error: write },
  }
}

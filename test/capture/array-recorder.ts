import type { CapturedCall, UsageRecorder } from '../../src/recording/usage-recorder.js'

export type ArrayRecorder = UsageRecorder & {
  readonly rows: CapturedCall[]
  /** Every line written to `diagnostics`. */
  readonly lines: string[]
}

/** Keeps what capture records in an array. */
export function createArrayRecorder(): ArrayRecorder {
  const rows: CapturedCall[] = []
  const lines: string[] = []
  const write = (_fields: object, message: string) => {
    lines.push(message)
  }
  return {
    rows,
    lines,
    startCall: () => (call) => {
      rows.push(call)
    },
    diagnostics: { info: write, warn: write, error: write },
  }
}

import type { DiagnosticLogger } from '../recording/diagnostics.js'
import type { IdentityResolver } from '../recording/request-context.js'

/** A value, or a function that finds it in what the middleware was given. Nullish is unknown. */
export type Resolvable<Input, Value> = Value | null | undefined | ((input: Input) => Value | null | undefined)

/** Who is calling and what for. Asked when the first record of the request is made, so that authentication may come later. */
export type IdentityOptions<Input> = {
  readonly user?: Resolvable<Input, string>
  readonly session?: Resolvable<Input, string>
  readonly operation?: Resolvable<Input, string>
  readonly project?: Resolvable<Input, string>
  /** True: the calls of this request are not recorded. */
  readonly skip?: Resolvable<Input, boolean>
}

/** A resolver that never throws: an option that fails, or does not answer at once, is left out, and said once a minute. */
export function createIdentityResolver<Input>(
  options: IdentityOptions<Input>,
  input: Input,
  report: IdentityReport,
): IdentityResolver {
  const answerOf = (name: keyof IdentityOptions<Input>, isUsable: (value: unknown) => boolean): unknown => {
    try {
      const option: unknown = options?.[name]
      const value: unknown = typeof option === 'function' ? option(input) : option
      if (isUsable(value)) return value
      // What `isSignedIn && user.email` gives for a stranger is no mistake.
      if (value != null && value !== false) report(name, `gave ${kindOf(value)}, which cannot be used`)
    } catch (error) {
      report(name, `threw ${error instanceof Error ? error.name : 'something'}`)
    }
    return undefined
  }
  const text = (name: 'user' | 'session' | 'operation' | 'project') => {
    const value = answerOf(name, isText)
    return value === undefined ? undefined : String(value)
  }
  return () => ({
    user: text('user'),
    session: text('session'),
    operation: text('operation'),
    project: text('project'),
    skip: answerOf('skip', isBoolean) as boolean | undefined,
  })
}

/** Told of an option that could not be resolved. */
export type IdentityReport = (option: string, problem: string) => void

/** Says what is wrong with each option, once a minute. */
export function createIdentityReport(
  diagnostics: DiagnosticLogger,
  mayLog: (topic: string) => boolean,
): IdentityReport {
  return (option, problem) => {
    if (mayLog(option)) diagnostics.error({ option }, `the option ${option} ${problem}; rows are recorded without it`)
  }
}

function isText(value: unknown): boolean {
  return typeof value === 'string' || typeof value === 'number'
}

function isBoolean(value: unknown): boolean {
  return typeof value === 'boolean'
}

function kindOf(value: unknown): string {
  if (!(value instanceof Promise)) return `a value of type ${typeof value}`
  // Its failure is not the application's to handle: nobody there holds it.
  value.catch(() => {})
  return 'a promise'
}

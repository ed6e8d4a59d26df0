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

/** A resolver that never throws: an option that fails, or gives a promise, is unknown, and said once a minute. */
export function createIdentityResolver<Input>(
  options: IdentityOptions<Input>,
  input: Input,
  report: IdentityReport,
): IdentityResolver {
  const text = (name: 'user' | 'session' | 'operation' | 'project') => {
    const value = resolve(options[name], input, (problem) => report(name, problem))
    return value === undefined ? undefined : String(value)
  }
  return () => ({
    user: text('user'),
    session: text('session'),
    operation: text('operation'),
    project: text('project'),
    skip: resolve(options.skip, input, (problem) => report('skip', problem)) === true,
  })
}

/** Told of an option that could not be resolved. */
export type IdentityReport = (option: string, problem: string) => void

export function createIdentityReport(
  diagnostics: DiagnosticLogger,
  mayLog: (topic: string) => boolean,
): IdentityReport {
  return (option, problem) => {
    if (mayLog(option)) diagnostics.error({ option }, `the option ${option} of the middleware ${problem}: left unknown`)
  }
}

function resolve(
  option: unknown,
  input: unknown,
  report: (problem: string) => void,
): string | number | boolean | undefined {
  try {
    const value: unknown = typeof option === 'function' ? option(input) : option
    if (typeof value === 'string' || typeof value === 'number' || typeof value === 'boolean') return value
    if (value != null) report('gave an object or a promise, and must give a text at once')
  } catch (error) {
    report(`threw ${error instanceof Error ? error.name : 'a value'}`)
  }
  return undefined
}

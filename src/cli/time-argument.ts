import { InvalidArgumentError } from 'commander'
import { timeRule, toIsoTime } from '../pricing/parse-price.js'

/** The time that an option names, as ISO 8601 in UTC. */
export function timeArgument(text: string): string {
  const time = toIsoTime(text)
  if (time === undefined) throw new InvalidArgumentError(`It has to be ${timeRule}.`)
  return time
}

/** This moment in the same form. */
export function timeOfNow(): string {
  return timeArgument(new Date().toISOString())
}

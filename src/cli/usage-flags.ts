import { type Command, InvalidArgumentError, Option } from 'commander'
import type { z } from 'zod'
import { type UsageGroupQuery, usageGroupQuerySchema } from '../analytics/usage-by.js'

const { shape } = usageGroupQuerySchema

/** Adds the flags of a query to a command: its range, which has a default, and its filters. */
export function addQueryFlags(command: Command, since: string): Command {
  return command
    .option(
      '--since <when>',
      'a day (2026-03-01), an instant, or a duration back from now (12h, 7d)',
      parse(shape.since),
      since,
    )
    .option('--until <when>', 'the same; a day is included, an instant is not', parse(shape.until))
    .option('--user <name>', 'only calls of this user', parse(shape.user))
    .option('--model <name>', 'only calls of this model', parse(shape.model))
    .option('--provider <name>', 'only calls of this provider', parse(shape.provider))
    .option('--operation <name>', 'only calls of this operation', parse(shape.operation))
    .option('--project <name>', 'only calls of this project', parse(shape.project))
    .option('--request-type <name>', 'only calls of this kind', parse(shape.requestType))
    .addOption(new Option('--status <status>', 'only calls that ended so').choices(shape.status.unwrap().options))
    .addOption(new Option('--order <figure>', 'what comes first').choices(shape.order.unwrap().options).default('cost'))
}

/** `--limit`. */
export function parseLimit(text: string): number {
  const limit = Number(text)
  if (!/^\d+$/.test(text) || !shape.limit.safeParse(limit).success) {
    throw new InvalidArgumentError('It has to be a whole number from 1 to 10000.')
  }
  return limit
}

/** The flags of a query, without those that are about printing. */
export function toQuery({ json, csv, ...query }: UsageGroupQuery & { json?: true; csv?: true }): UsageGroupQuery {
  return query
}

function parse(schema: z.ZodType) {
  return (text: string): string => {
    const parsed = schema.safeParse(text)
    if (parsed.success) return text
    throw new InvalidArgumentError(parsed.error.issues.map(({ message }) => message).join('; '))
  }
}

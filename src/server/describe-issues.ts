import type { z } from 'zod'

/** What is wrong with a query, in one line: `since: it has to be a day (2026-03-01), ...`. Names fields and never what is in them. */
export function describeIssues({ issues }: z.ZodError): string {
  return issues.map(({ path, message }) => [...path, message].join(': ')).join('; ')
}

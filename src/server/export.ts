import { stringify } from 'csv-stringify/sync'
import type { Request, RequestHandler, Response } from 'express'
import type { UsageCall } from '../analytics/usage-history.js'
import { type UsageQuery, usageQuerySchema } from '../analytics/usage-query.js'
import type { UsageReports } from '../create-usage-reports.js'
import { TokenLedgerError } from '../errors.js'
import type { DiagnosticLogger } from '../recording/diagnostics.js'
import { spreadsheetCsv } from '../usage/spreadsheet-text.js'
import { describeIssues } from './describe-issues.js'
import { explainReadError } from './explain-read-error.js'
import { untilWritable } from './until-writable.js'
import type { Viewer } from './viewer.js'

export type ExportParts = {
  readonly reports: UsageReports
  readonly findViewer: (request: Request) => Viewer | undefined | Promise<Viewer | undefined>
  readonly logger: DiagnosticLogger
}

/** How pages of calls become one document. */
type Format = {
  readonly contentType: string
  begin(): string
  page(calls: readonly UsageCall[], isFirst: boolean): string
  end(): string
}

const callsOfAPage = 1000
const fields = [
  'id',
  'eventId',
  'timestamp',
  'userEmail',
  'sessionId',
  'provider',
  'modelName',
  'requestType',
  'operation',
  'operationId',
  'project',
  'inputTokens',
  'outputTokens',
  'cacheReadTokens',
  'cacheWriteTokens',
  'reasoningTokens',
  'costUsd',
  'costSource',
  'status',
  'usageSource',
  'responseId',
  'durationMs',
  'timeToFirstChunkMs',
] as const satisfies readonly (keyof UsageCall)[]

/** What is not known is an empty cell. */
const csv: Format = {
  contentType: 'text/csv; charset=utf-8',
  begin: () => `${fields.join(',')}\n`,
  page: (calls) => stringify([...calls], { ...spreadsheetCsv, columns: [...fields] }),
  end: () => '',
}

const json: Format = {
  contentType: 'application/json; charset=utf-8',
  begin: () => '[',
  page: (calls, isFirst) =>
    calls.map((call, index) => `${isFirst && index === 0 ? '' : ','}\n${JSON.stringify(call)}`).join(''),
  end: () => '\n]\n',
}

export const exportFormats = { csv, json } as const

/**
 * `GET /export.csv` and `/export.json`: single calls, the latest first, with the filters of a report in the address. Read and
 * sent page by page, as fast as the client takes them; a document that is cut off in the middle ends the connection.
 */
export function createExport(name: keyof typeof exportFormats, parts: ExportParts): RequestHandler {
  const format = exportFormats[name]
  return async (request, response) => {
    const viewer = await parts.findViewer(request)
    const query = usageQuerySchema.safeParse(request.query)
    if (viewer === undefined) response.status(401).json({ error: 'sign in first' })
    else if (!query.success) response.status(400).json({ error: describeIssues(query.error) })
    else {
      const own = viewer.role === 'admin' ? query.data : { ...query.data, user: viewer.user }
      await send(
        response,
        { format, fileName: `${nameOf(own)}.${name}`, pages: readPages(parts.reports, own) },
        parts.logger,
      )
    }
  }
}

async function* readPages(reports: UsageReports, query: UsageQuery): AsyncGenerator<readonly UsageCall[]> {
  let cursor: string | undefined
  do {
    const page = await reports.getUsageHistory({ ...query, cursor, limit: callsOfAPage })
    yield page.calls
    cursor = page.nextCursor ?? undefined
  } while (cursor !== undefined)
}

type Sending = {
  readonly format: Format
  readonly fileName: string
  readonly pages: AsyncGenerator<readonly UsageCall[]>
}

async function send(response: Response, { format, fileName, pages }: Sending, logger: DiagnosticLogger): Promise<void> {
  try {
    for await (const calls of pages) {
      if (response.destroyed) return
      const isFirst = !response.headersSent
      // Only now: what is wrong with the query or the database is answered as an error, not as half a file.
      if (isFirst) {
        response.set({
          'Content-Type': format.contentType,
          'Content-Disposition': `attachment; filename="${fileName}"`,
        })
        // Who asks for the head alone needs no other page to be read.
        if (response.req.method === 'HEAD') break
        response.write(format.begin())
      }
      if (!response.write(format.page(calls, isFirst))) await untilWritable(response)
    }
    response.end(format.end())
  } catch (error) {
    fail(response, error, logger)
  }
}

function fail(response: Response, error: unknown, logger: DiagnosticLogger): void {
  const isWrong = error instanceof TokenLedgerError
  if (!isWrong)
    logger.error({ code: (error as { code?: string }).code }, 'an export could not be read from the database')
  if (response.headersSent) response.destroy()
  else if (isWrong) response.status(error.code === 'TOKENLEDGER_BUSY' ? 429 : 400).json({ error: error.message })
  else response.status(503).json({ error: explainReadError(error) })
}

/** `usage-7d-model-gpt-4o`: only letters, digits and a few signs, so that it is a name everywhere. */
function nameOf(query: UsageQuery): string {
  const { since = 'all', until, ...filters } = query
  const parts = ['usage', since, until, ...Object.entries(filters).flat()]
  return parts
    .filter((part) => part !== undefined)
    .map((part) => part.replaceAll(/[^\w.-]+/g, '_').slice(0, 60))
    .join('-')
}

import { timingSafeEqual } from 'node:crypto'
import { setImmediate as nextTurn } from 'node:timers/promises'
import express, { type ErrorRequestHandler, type Request, type RequestHandler, type Response, Router } from 'express'
import { z } from 'zod'
import type { UsageLogger } from '../create-usage-logger.js'
import { toPicoUsd } from '../usage/pico-usd.js'
import { findBearerToken } from './session.js'
import { digestOf } from './viewer.js'

export type IngestParts = {
  readonly usage: Pick<UsageLogger, 'log' | 'stats'>
  /** SHA-256 of each token that may send records. */
  readonly tokenDigests: readonly Buffer[]
}

/** Why a line was not taken; `line` counts from 1. */
export type RejectedLine = { readonly line: number; readonly reason: string }

const mostBytes = 1024 * 1024
const linesOfATurn = 100
const mostReasons = 1000
const noRoom = 'there is no room for it now; send it again later'
const notAnObject = 'it is no JSON object'
const earliest = Date.UTC(2000, 0, 1)
const latest = Date.UTC(2200, 0, 1)

const timeRule =
  'it has to be ISO 8601 with an offset (2026-03-01T12:00:00Z) or milliseconds since 1970, from 2000 to 2199'

const text = z.string().max(1000)
const tokens = z.int().min(0).max(2_147_483_647)
const milliseconds = z.number().nonnegative()

/** What `usage.log()` takes, from outside: a field that it does not know is refused, so that a misspelt one is not lost. */
export const ingestEntrySchema = z.strictObject({
  modelName: text.min(1),
  inputTokens: tokens,
  outputTokens: tokens,
  userEmail: text.optional(),
  sessionId: text.optional(),
  requestType: text.optional(),
  provider: text.optional(),
  operation: text.optional(),
  operationId: text.optional(),
  project: text.optional(),
  cacheReadTokens: tokens.optional(),
  cacheWriteTokens: tokens.optional(),
  reasoningTokens: tokens.optional(),
  costEstimate: z
    .union([z.number().nonnegative(), z.string().regex(/^\d{1,7}(\.\d{1,12})?$/)])
    .refine((amount) => toPicoUsd(amount) !== null, 'it has to be US dollars, at most 9,000,000')
    .optional(),
  status: z.enum(['ok', 'error', 'aborted']).optional(),
  usageSource: z
    .enum(['provider', 'provider_partial', 'estimated', 'fixed', 'unknown', 'entry', 'imported'])
    .optional(),
  durationMs: milliseconds.optional(),
  timeToFirstChunkMs: milliseconds.optional(),
  responseId: text.optional(),
  metadata: z.record(z.string(), z.unknown()).optional(),
  timestamp: z
    .union([z.iso.datetime({ offset: true, error: timeRule }), z.number()])
    .refine((time) => new Date(time).getTime() >= earliest && new Date(time).getTime() < latest, { error: timeRule })
    .optional(),
  idempotencyKey: text.min(1).optional(),
})

/**
 * `POST /usage` takes records of services in other languages: a JSON object, or one on each line (NDJSON). Answers with how
 * many were taken and why the others were not, of a thousand at most: 202 all, 207 some, 400 none, 401 without a token, 413 a body of more than a
 * megabyte, 503 where the logger is off.
 *
 * With the header `Idempotency-Key` a body may be sent again: its lines are stored once, as with `idempotencyKey` in each.
 */
export function createIngest({ usage, tokenDigests }: IngestParts): Router {
  const router = Router()
  const readBody = express.text({ type: () => true, limit: mostBytes })
  router.post('/usage', requireIngestToken(tokenDigests), readBody, async (request, response) => {
    if (usage.stats().state === 'disabled') {
      response.status(503).json({ error: 'nothing is recorded: TOKEN_LOGGING_ENABLED is false' })
      return
    }
    const intake = new Intake(usage, request.get('Idempotency-Key'))
    const body: string = typeof request.body === 'string' ? request.body : ''
    // An object over several lines is one record; of several objects each has its line.
    const lines = request.is('application/json') ? [body] : body.split('\n')
    for (const [index, line] of lines.entries()) {
      if (index % linesOfATurn === linesOfATurn - 1) await nextTurn()
      intake.take(line)
    }
    answer(response, intake)
  })
  router.use('/usage', refuseLongBody)
  return router
}

function requireIngestToken(tokenDigests: readonly Buffer[]): RequestHandler {
  return (request, response, next) => {
    if (mayIngest(request, tokenDigests)) return next()
    response.status(401).set('WWW-Authenticate', 'Bearer realm="tokenledger"')
    response.json({ error: 'send TOKENLEDGER_INGEST_TOKEN or the admin token as Authorization: Bearer <token>' })
  }
}

const refuseLongBody: ErrorRequestHandler = (error: { type?: string }, _request, response, next) => {
  if (error.type !== 'entity.too.large') return next(error)
  response.status(413).json({ error: `the body is longer than ${mostBytes} bytes; send it in parts` })
}

function mayIngest(request: Request, tokenDigests: readonly Buffer[]): boolean {
  const given = digestOf(findBearerToken(request) ?? '')
  return tokenDigests.some((digest) => timingSafeEqual(digest, given))
}

function answer(response: Response, { accepted, rejected, unexplained }: Intake): void {
  const status = rejected.length === 0 && accepted > 0 ? 202 : accepted > 0 ? 207 : 400
  const more = unexplained > 0 ? { unexplained } : undefined
  const nothing = accepted === 0 && rejected.length === 0 ? { error: 'the body holds no record' } : undefined
  response.status(status).json({ accepted, rejected, ...more, ...nothing })
}

/** What became of the lines of one body. */
class Intake {
  accepted = 0
  readonly rejected: RejectedLine[] = []
  /** Lines that were rejected besides. */
  unexplained = 0
  readonly #usage: IngestParts['usage']
  readonly #key: string | undefined
  #line = 0
  /** The lines after one that found no room are not tried: each try would count as a loss, and all of them are sent again. */
  #isFull = false

  constructor(usage: IngestParts['usage'], key: string | undefined) {
    this.#usage = usage
    this.#key = key
  }

  take(line: string): void {
    this.#line += 1
    if (line.trim() === '') return
    const reason = this.#log(line)
    if (reason === undefined) this.accepted += 1
    else if (this.rejected.length < mostReasons) this.rejected.push({ line: this.#line, reason })
    else this.unexplained += 1
  }

  #log(line: string): string | undefined {
    const fields = parseJson(line)
    if (typeof fields !== 'object' || fields === null || Array.isArray(fields)) return notAnObject
    const entry = ingestEntrySchema.safeParse(fields)
    if (!entry.success) return describe(entry.error)
    const idempotencyKey = entry.data.idempotencyKey ?? (this.#key && `${this.#key}/${this.#line}`)
    const { dropped } = this.#usage.stats()
    if (!this.#isFull) this.#usage.log({ ...entry.data, idempotencyKey })
    this.#isFull ||= this.#usage.stats().dropped > dropped
    return this.#isFull ? noRoom : undefined
  }
}

function parseJson(line: string): unknown {
  try {
    return JSON.parse(line)
  } catch {
    return undefined
  }
}

// Names the field and what is wrong with it, never its value: that may be anything.
function describe({ issues }: z.ZodError): string {
  const [issue] = issues
  if (issue === undefined) return notAnObject
  if (issue.code === 'unrecognized_keys')
    return `unknown field ${issue.keys.map((key) => JSON.stringify(key)).join(', ')}`
  return `${issue.path.join('.')}: ${issue.message}`
}

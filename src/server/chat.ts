import { initTRPC, TRPCError } from '@trpc/server'
import { createExpressMiddleware } from '@trpc/server/adapters/express'
import express, { type ErrorRequestHandler, type Request, type RequestHandler, type Response, Router } from 'express'
import { z } from 'zod'
import type { UsageLogger } from '../create-usage-logger.js'
import { createImage, type ModelClients, streamChat } from './model-clients.js'
import { untilWritable } from './until-writable.js'
import type { Viewer } from './viewer.js'

export type ChatParts = {
  readonly usage: UsageLogger
  readonly clients: ModelClients
  readonly findViewer: (request: Request) => Viewer | undefined
}

const chatSchema = z.strictObject({ message: z.string().min(1).max(20_000) })
const imageSchema = z.strictObject({ prompt: z.string().min(1).max(4000) })
const noClient = 'there is no model to ask: set OPENAI_API_KEY or ANTHROPIC_API_KEY and restart'

/**
 * An app that uses models, as an example: `POST /chat` streams an answer as text, `POST /image` makes an image, and the
 * procedures `chat` and `image` below `/chat/trpc` do the same in tRPC. The only lines about recording are the two with
 * `usage.express` and `usage.trpc`: each call is a row of who is signed in.
 */
export function createChat({ usage, clients, findViewer }: ChatParts): Router {
  const router = Router()
  router.use(
    ['/chat', '/image'],
    requireViewer(findViewer),
    usage.express({ user: (request) => nameOf(findViewer(request as Request)) }),
  )
  router.use('/chat/trpc', createExpressMiddleware({ router: createChatRouter(usage, clients) }))
  router.post('/chat', express.json({ limit: '100kb' }), async (request, response) => {
    const input = chatSchema.safeParse(request.body)
    const pieces = input.success ? streamChat(clients, input.data.message, endOf(response)) : undefined
    if (!input.success) response.status(400).json({ error: z.prettifyError(input.error) })
    else if (pieces === undefined) response.status(503).json({ error: noClient })
    else await send(response, pieces)
  })
  router.post('/image', express.json({ limit: '100kb' }), async (request, response) => {
    const input = imageSchema.safeParse(request.body)
    if (!input.success) response.status(400).json({ error: z.prettifyError(input.error) })
    else if (clients.openai === undefined) response.status(503).json({ error: noClient })
    else
      response.json({ image: await createImage(clients, input.data.prompt, endOf(response)), usage: usage.current() })
  })
  router.use(['/chat', '/image'], answerModelError)
  return router
}

/** The same in tRPC; `chat` streams. */
export function createChatRouter(usage: UsageLogger, clients: ModelClients) {
  const t = initTRPC.create({
    isDev: false,
    // The words of a provider's error may hold what was asked, or a part of the key.
    errorFormatter: ({ shape, error }) => ({
      ...shape,
      message: error.code === 'INTERNAL_SERVER_ERROR' ? 'the model did not answer' : shape.message,
    }),
  })
  const recorded = t.procedure.use(usage.trpc())
  return t.router({
    chat: recorded.input(chatSchema).mutation(async function* ({ input, signal }) {
      const pieces = streamChat(clients, input.message, signal ?? new AbortController().signal)
      if (pieces === undefined) throw new TRPCError({ code: 'PRECONDITION_FAILED', message: noClient })
      yield* pieces
    }),
    image: recorded.input(imageSchema).mutation(async ({ input, signal }) => {
      if (clients.openai === undefined) throw new TRPCError({ code: 'PRECONDITION_FAILED', message: noClient })
      const image = await createImage(clients, input.prompt, signal ?? new AbortController().signal)
      return { image, usage: usage.current() }
    }),
  })
}

export type ChatRouter = ReturnType<typeof createChatRouter>

function requireViewer(findViewer: ChatParts['findViewer']): RequestHandler {
  return (request, response, next) => {
    if (findViewer(request) !== undefined) return next()
    response.status(401).json({ error: 'sign in first: a call of a model costs money' })
  }
}

function nameOf(viewer: Viewer | undefined): string | undefined {
  return viewer?.role === 'user' ? viewer.user : viewer?.role
}

// Whoever goes away does not pay for the rest of the answer.
function endOf(response: Response): AbortSignal {
  const end = new AbortController()
  response.once('close', () => end.abort())
  return end.signal
}

async function send(response: Response, pieces: AsyncIterable<string>): Promise<void> {
  for await (const piece of pieces) {
    if (!response.headersSent) response.type('text/plain')
    if (!response.write(piece)) await untilWritable(response)
  }
  response.end()
}

// Half an answer must not look like a whole one; of the provider's error only its status is passed on.
const answerModelError: ErrorRequestHandler = (error: { status?: number }, _request, response, next) => {
  if (response.destroyed) return
  if (response.headersSent) return next(error)
  const { status } = error
  response.status(502).json({ error: `the model did not answer${status === undefined ? '' : ` (HTTP ${status})`}` })
}

import { once } from 'node:events'
import { initTRPC } from '@trpc/server'
import { createExpressMiddleware } from '@trpc/server/adapters/express'
import express, { type ErrorRequestHandler, type Express, type Request, type Response } from 'express'
import { createUsageLogger, type UsageLogger, type UsageLoggerOptions } from 'tokenledger'
import { z } from 'zod'
import { createModels, providers } from './models.js'

type Models = ReturnType<typeof createModels>
type TrpcContext = { readonly user: string | undefined }

const questionSchema = z.object({
  model: z.string(),
  prompt: z.string(),
  /** Answer piece by piece. */
  stream: z.boolean().default(false),
  /** Pieces after which the app stops the model. */
  maxPieces: z.number().int().positive().optional(),
})

/** The app's procedures, for the types of its client. */
export type DemoRouter = ReturnType<typeof createRouter>

/**
 * A small app that talks to models for its users: `POST /chat/:provider` and `POST /images` by Express, `chat.ask` and
 * `chat.tell` by tRPC. Close its usage logger once its last request has ended.
 */
export function createDemoApp(
  providerUrl: string,
  settings: UsageLoggerOptions,
): { readonly app: Express; readonly usage: UsageLogger } {
  const usage = createUsageLogger(settings)
  const models = createModels(usage, providerUrl)
  const app = express()
  app.use(usage.express({ user: findUser, session: (request: Request) => request.get('x-session') }))
  app.use(express.json())
  app.post('/chat/:provider', answerChat(models, usage))
  app.post('/images', async (request, response) => {
    const image = await models.draw({ ...questionSchema.parse(request.body), signal: untilDisconnect(response) })
    response.json({ image, usage: usage.current() })
  })
  const createContext = ({ req }: { req: Request }): TrpcContext => ({ user: findUser(req) })
  app.use('/trpc', createExpressMiddleware({ router: createRouter(models, usage), createContext }))
  app.use(ignoreDisconnects)
  return { app, usage }
}

// Stands for what an app does to know its user: a session, a signed token.
function findUser(request: Request): string | undefined {
  return request.get('x-user')
}

function answerChat({ chats }: Models, usage: UsageLogger) {
  return async (request: Request, response: Response) => {
    const chat = chats[z.enum(providers).parse(request.params.provider)]
    const question = { ...questionSchema.parse(request.body), signal: untilDisconnect(response) }
    if (question.stream) return streamEvents(response, limit(chat.tell(question), question.maxPieces), question.signal)
    response.json({ text: await chat.ask(question), usage: usage.current() })
  }
}

function createRouter({ chats }: Models, usage: UsageLogger) {
  const t = initTRPC.context<TrpcContext>().create()
  const procedure = t.procedure.use(usage.trpc({ user: ({ ctx }) => ctx.user }))
  const question = questionSchema.extend({ provider: z.enum(providers) })
  return t.router({
    chat: t.router({
      ask: procedure.input(question).mutation(async ({ input, signal }) => {
        const text = await chats[input.provider].ask({ ...input, signal })
        return { text, usage: usage.current() }
      }),
      tell: procedure.input(question).mutation(async function* ({ input, signal }) {
        yield* limit(chats[input.provider].tell({ ...input, signal }), input.maxPieces)
      }),
    }),
  })
}

// `close` comes after the end as well, when there is nothing left to abort.
function untilDisconnect(response: Response): AbortSignal {
  const disconnect = new AbortController()
  response.on('close', () => disconnect.abort())
  return disconnect.signal
}

async function streamEvents(response: Response, pieces: AsyncIterable<string>, signal: AbortSignal): Promise<void> {
  response.type('text/event-stream')
  for await (const text of pieces) {
    const isRoomLeft = response.write(`data: ${JSON.stringify({ text })}\n\n`)
    if (!isRoomLeft) await once(response, 'drain', { signal })
  }
  response.end()
}

// A call that was aborted because its user has gone is nobody's error.
const ignoreDisconnects: ErrorRequestHandler = (error, _request, response, next) => {
  if (!response.destroyed) next(error)
}

/** Leaving the loop early stops the model. */
async function* limit(pieces: AsyncIterable<string>, maxPieces = Number.POSITIVE_INFINITY): AsyncGenerator<string> {
  let count = 0
  for await (const piece of pieces) {
    yield piece
    count += 1
    if (count >= maxPieces) return
  }
}

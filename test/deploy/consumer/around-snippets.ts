import { createServer } from 'node:http'
import { initTRPC } from '@trpc/server'
import express, { type RequestHandler } from 'express'
import { type ClaudeClient, createUsageLogger } from 'tokenledger'

// What the snippets of the documents take for granted, as an app has it. Never run.

export const app = express()
export const server = createServer(app)
export const requireAdmin: RequestHandler = (_request, _response, next) => next()
export const t = initTRPC.context<{ user?: { email: string } }>().create()
export const usage = createUsageLogger()
export const answer: unknown = {}
export const modelName = 'a-model'
export const anthropic = {} as ClaudeClient
export class OpenAI {}

type Around = typeof import('./around-snippets.js')
type Library = typeof import('tokenledger')

// What authentication adds.
declare namespace Express {
  interface Request {
    user?: { email: string }
  }
}

declare const app: Around['app']
declare const server: Around['server']
declare const requireAdmin: Around['requireAdmin']
declare const t: Around['t']
declare const usage: Around['usage']
declare const answer: Around['answer']
declare const modelName: Around['modelName']
declare const anthropic: Around['anthropic']
declare const OpenAI: Around['OpenAI']
declare const randomUUID: typeof import('node:crypto').randomUUID
declare const calculateCost: Library['calculateCost']
declare const createClaudeProvider: Library['createClaudeProvider']
declare const extractUsage: Library['extractUsage']
declare const toExecution: Library['toExecution']

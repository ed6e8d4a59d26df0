import { Command, InvalidArgumentError } from 'commander'
import { readServerConfig } from '../config.js'
import { ConfigurationError } from '../errors.js'
import { adminTokenFile, readDigest } from '../server/admin-token.js'
import { createViewerTokens, digestOf } from '../server/viewer.js'

type Flags = { readonly user: string; readonly days: number; readonly json?: true }

const dayMs = 86_400_000

/** `tokenledger user-token`: a token with which a user of the web app sees their own usage. */
export function createUserTokenCommand(): Command {
  return new Command('user-token')
    .description('print a token that shows one user their own usage in the web app')
    .requiredOption('--user <name>', 'whose usage, as user_email has it')
    .option('--days <n>', 'how long it is good for', toDays, 30)
    .option('--json', 'print it as JSON')
    .action(runUserToken)
}

function runUserToken({ user, days, json }: Flags): void {
  const { adminToken } = readServerConfig()
  const digest = adminToken ? digestOf(adminToken) : readDigest(adminTokenFile)
  if (digest === undefined) {
    throw new ConfigurationError(
      `There is no admin token to sign it with. Set TOKENLEDGER_ADMIN_TOKEN as the web app has it, or run this where ${adminTokenFile} is.`,
    )
  }
  const expiresAt = Date.now() + days * dayMs
  const token = createViewerTokens(digest).sign({ viewer: { role: 'user', user }, expiresAt })
  console.log(json ? JSON.stringify({ user, token, expiresAt: new Date(expiresAt).toISOString() }) : token)
}

function toDays(text: string): number {
  const days = Number(text)
  if (!Number.isInteger(days) || days < 1 || days > 3650)
    throw new InvalidArgumentError('It has to be a whole number from 1 to 3650.')
  return days
}

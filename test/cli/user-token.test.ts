import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, expect, it } from 'vitest'
import { findOrCreateAdminToken, keepAdminToken } from '../../src/server/admin-token.js'
import { createViewerTokens, digestOf } from '../../src/server/viewer.js'
import { runCli } from './run-cli.js'

// One of its own: the command reads the .env of where it is started.
const directory = mkdtempSync(join(tmpdir(), 'tokenledger-token-'))
afterAll(() => rmSync(directory, { recursive: true }))

it('prints a token that the app with the same admin token takes', async () => {
  const { stdout } = await runCli(['user-token', '--user', 'ann@example.com'], directory, {
    TOKENLEDGER_ADMIN_TOKEN: 'secret',
  })

  expect(createViewerTokens(digestOf('secret')).read(stdout.trim())?.viewer).toEqual({
    role: 'user',
    user: 'ann@example.com',
  })
})

it.each([
  [['user-token'], 2, /--user/],
  [['user-token', '--user', 'ann', '--days', '0'], 2, /whole number/],
  [['user-token', '--user', 'ann'], 1, /TOKENLEDGER_ADMIN_TOKEN/],
])('ends %o with %i and says why', async (words, code, message) => {
  const result = await runCli(words, directory)

  expect(result).toMatchObject({ code, stdout: '', stderr: expect.stringMatching(message) })
})

it('keeps of a token that it makes only the digest, once it was shown', () => {
  const path = join(directory, 'data/admin-token')

  const made = findOrCreateAdminToken(path)
  const another = findOrCreateAdminToken(path)
  keepAdminToken(made, path)
  const kept = findOrCreateAdminToken(path)

  expect(another.token).not.toBe(made.token)
  expect(kept).toEqual({ digest: made.digest })
  expect(createViewerTokens(kept.digest).read(made.token ?? '')?.viewer).toEqual({ role: 'admin' })
})

import { randomBytes } from 'node:crypto'
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import { dirname } from 'node:path'
import { digestOf } from './viewer.js'

/** Where the digest of a token is kept that was made for this machine. */
export const adminTokenFile = '.data/admin-token'

/** `token` is there only when it was made just now: nothing but its digest is kept. */
export type AdminToken = { readonly digest: Buffer; readonly token?: string }

/** The digest of the token that was made for this machine earlier, or a new token, which `keepAdminToken` makes lasting. */
export function findOrCreateAdminToken(path = adminTokenFile): AdminToken {
  const kept = readDigest(path)
  if (kept !== undefined) return { digest: kept }
  const token = randomBytes(32).toString('base64url')
  return { digest: digestOf(token), token }
}

/** Keeps the digest of a new token in a file that only its owner can read: to be called when the token has been shown. */
export function keepAdminToken({ digest }: AdminToken, path = adminTokenFile): void {
  mkdirSync(dirname(path), { recursive: true })
  writeFileSync(path, `${digest.toString('hex')}\n`, { mode: 0o600 })
}

/** The digest kept in `path`; undefined where there is none. */
export function readDigest(path: string): Buffer | undefined {
  try {
    const digest = Buffer.from(readFileSync(path, 'utf8').trim(), 'hex')
    return digest.length === 32 ? digest : undefined
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return undefined
    throw error
  }
}

import { randomBytes } from 'node:crypto'
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import { dirname } from 'node:path'
import { digestOf } from './viewer.js'

/** `token` is there only when it was made just now: nothing but its digest is kept. */
export type AdminToken = { readonly digest: Buffer; readonly token?: string }

/** The digest of the token that was made for this machine, or of a new one whose digest is kept in `path`, readable by its owner only. */
export function findOrCreateAdminToken(path: string): AdminToken {
  const kept = readDigest(path)
  if (kept !== undefined) return { digest: kept }
  const token = randomBytes(32).toString('base64url')
  const digest = digestOf(token)
  mkdirSync(dirname(path), { recursive: true })
  writeFileSync(path, `${digest.toString('hex')}\n`, { mode: 0o600 })
  return { digest, token }
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

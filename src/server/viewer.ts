import { createHash, createHmac, timingSafeEqual } from 'node:crypto'

/** Who looks at usage: an admin sees everybody's, a user their own. */
export type Viewer = ({ readonly role: 'admin' } | { readonly role: 'user'; readonly user: string }) & {
  /** Set where it is a session of the web app that says so, which can be ended: never in an app of yours. */
  readonly hasSession?: true
}

/** Whose token it is, and until when it is one (milliseconds since 1970); the admin token has no end. */
export type KnownToken = { readonly viewer: Viewer; readonly expiresAt: number }

/** Tells viewers by what they present. */
export interface ViewerTokens {
  /** A token that stands for `viewer` until `expiresAt`. */
  sign({ viewer, expiresAt }: KnownToken): string
  /** The admin token itself, or a signed one that has not expired; undefined for any other text. */
  read(token: string): KnownToken | undefined
}

/** The viewer that a value says, from code or from a token; undefined, which is nobody, for everything that says none plainly. */
export function toViewer(value: unknown): Viewer | undefined {
  const { role, user } = Object(value) as { role?: unknown; user?: unknown }
  if (role === 'admin') return { role }
  return role === 'user' && typeof user === 'string' && user !== '' ? { role, user } : undefined
}

const signedToken = /^tlv1\.([\w-]+)\.([\w-]+)$/

/**
 * Tokens of one app. All follow from the SHA-256 of its admin token, so nothing is stored for a signed one, and a new admin
 * token ends them all.
 */
export function createViewerTokens(adminTokenDigest: Buffer): ViewerTokens {
  const key = createHmac('sha256', adminTokenDigest).update('tokenledger viewer tokens').digest()
  const signatureOf = (payload: string) => createHmac('sha256', key).update(payload).digest()
  return {
    sign({ viewer, expiresAt }) {
      const payload = Buffer.from(JSON.stringify({ viewer, expiresAt })).toString('base64url')
      return `tlv1.${payload}.${signatureOf(payload).toString('base64url')}`
    },
    read(token) {
      if (timingSafeEqual(digestOf(token), adminTokenDigest)) return { viewer: { role: 'admin' }, expiresAt: Infinity }
      const [, payload, signature] = signedToken.exec(token) ?? []
      if (payload === undefined || signature === undefined) return undefined
      const isOurs = timingSafeEqual(digestOf(signature), digestOf(signatureOf(payload).toString('base64url')))
      return isOurs ? readPayload(payload) : undefined
    },
  }
}

/** SHA-256. Digests have equal lengths, which a comparison in constant time needs and a token's length must not reveal. */
export function digestOf(token: string): Buffer {
  return createHash('sha256').update(token).digest()
}

function readPayload(payload: string): KnownToken | undefined {
  const { viewer: told, expiresAt } = JSON.parse(Buffer.from(payload, 'base64url').toString())
  const viewer = toViewer(told)
  return viewer !== undefined && expiresAt > Date.now() ? { viewer, expiresAt } : undefined
}

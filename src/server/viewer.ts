import { createHash, createHmac, timingSafeEqual } from 'node:crypto'

/** Who looks at usage: an admin sees everybody's, a user their own. */
export type Viewer = { readonly role: 'admin' } | { readonly role: 'user'; readonly user: string }

/** Tells viewers by what they present. */
export interface ViewerTokens {
  /** A token that stands for `viewer` until `expiresAt` (milliseconds since 1970). */
  sign(viewer: Viewer, expiresAt: number): string
  /** Whose token it is: the admin token itself, or a signed one that has not expired. */
  findViewer(token: string): Viewer | undefined
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
    sign(viewer, expiresAt) {
      const user = viewer.role === 'user' ? viewer.user : undefined
      const payload = Buffer.from(JSON.stringify({ user, expiresAt })).toString('base64url')
      return `tlv1.${payload}.${signatureOf(payload).toString('base64url')}`
    },
    findViewer(token) {
      if (timingSafeEqual(digestOf(token), adminTokenDigest)) return { role: 'admin' }
      const [, payload, signature] = signedToken.exec(token) ?? []
      if (payload === undefined || signature === undefined) return undefined
      const isOurs = timingSafeEqual(digestOf(signature), digestOf(signatureOf(payload).toString('base64url')))
      return isOurs ? viewerOf(payload) : undefined
    },
  }
}

/** SHA-256. Digests have equal lengths, which a comparison in constant time needs and a token's length must not reveal. */
export function digestOf(token: string): Buffer {
  return createHash('sha256').update(token).digest()
}

function viewerOf(payload: string): Viewer | undefined {
  const { user, expiresAt } = JSON.parse(Buffer.from(payload, 'base64url').toString())
  if (!(expiresAt > Date.now())) return undefined
  return user === undefined ? { role: 'admin' } : { role: 'user', user }
}

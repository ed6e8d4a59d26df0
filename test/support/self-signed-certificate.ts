import { generateKeyPairSync, randomBytes, sign } from 'node:crypto'

/** A certificate that is its own authority, with its private key, both as PEM text. */
export type SelfSignedCertificate = { readonly certificate: string; readonly key: string }

const ECDSA_WITH_SHA256 = sequence(oid('2a8648ce3d040302'))

/** Makes a certificate for one host name that is valid for today's and the next two years. */
export function createSelfSignedCertificate(hostName: string): SelfSignedCertificate {
  const { privateKey, publicKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' })
  const name = sequence(tagged(0x31, sequence(oid('550403'), tagged(0x0c, Buffer.from(hostName)))))
  const year = new Date().getUTCFullYear() % 100
  const validity = sequence(utcTime(year), utcTime(year + 2))
  const toBeSigned = sequence(
    tagged(0xa0, tagged(0x02, Buffer.from([2]))),
    tagged(0x02, Buffer.concat([Buffer.from([1]), randomBytes(8)])),
    ECDSA_WITH_SHA256,
    name,
    validity,
    name,
    publicKey.export({ type: 'spki', format: 'der' }),
    tagged(0xa3, sequence(authority(), subjectAlternativeName(hostName))),
  )
  const signature = sign('sha256', toBeSigned, privateKey)
  return {
    certificate: pem('CERTIFICATE', sequence(toBeSigned, ECDSA_WITH_SHA256, bitString(signature))),
    key: privateKey.export({ type: 'pkcs8', format: 'pem' }) as string,
  }
}

function authority(): Buffer {
  const isAuthority = sequence(tagged(0x01, Buffer.from([0xff])))
  return sequence(oid('551d13'), tagged(0x01, Buffer.from([0xff])), tagged(0x04, isAuthority))
}

function subjectAlternativeName(hostName: string): Buffer {
  return sequence(oid('551d11'), tagged(0x04, sequence(tagged(0x82, Buffer.from(hostName)))))
}

function utcTime(year: number): Buffer {
  return tagged(0x17, Buffer.from(`${String(year).padStart(2, '0')}0101000000Z`))
}

function oid(hex: string): Buffer {
  return tagged(0x06, Buffer.from(hex, 'hex'))
}

function bitString(content: Buffer): Buffer {
  return tagged(0x03, Buffer.concat([Buffer.from([0]), content]))
}

function sequence(...parts: Buffer[]): Buffer {
  return tagged(0x30, Buffer.concat(parts))
}

function tagged(tag: number, content: Buffer): Buffer {
  const { length } = content
  const size = length < 0x80 ? [length] : length < 0x100 ? [0x81, length] : [0x82, length >> 8, length & 0xff]
  return Buffer.concat([Buffer.from([tag, ...size]), content])
}

function pem(label: string, der: Buffer): string {
  const lines = der.toString('base64').match(/.{1,64}/g) ?? []
  return `-----BEGIN ${label}-----\n${lines.join('\n')}\n-----END ${label}-----\n`
}

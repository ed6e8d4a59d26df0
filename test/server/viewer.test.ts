import { describe, expect, it, onTestFinished, vi } from 'vitest'
import { createViewerTokens, digestOf, type Viewer } from '../../src/server/viewer.js'

const adminToken = 'the-admin-token'
const tokens = createViewerTokens(digestOf(adminToken))
const ann: Viewer = { role: 'user', user: 'ann@example.com' }
const inAnHour = () => Date.now() + 3_600_000

describe('viewer tokens', () => {
  it('tell the admin by the admin token', () => {
    expect(tokens.read(adminToken)?.viewer).toEqual({ role: 'admin' })
  })

  it.each<[string, Viewer]>([
    ['a user', ann],
    ['an admin', { role: 'admin' }],
  ])('tell %s by a signed token until it expires', (_who, viewer) => {
    vi.useFakeTimers()
    onTestFinished(() => void vi.useRealTimers())
    const token = tokens.sign({ viewer, expiresAt: Date.now() + 1000 })

    const before = tokens.read(token)?.viewer
    vi.advanceTimersByTime(1001)
    const after = tokens.read(token)?.viewer

    expect([before, after]).toEqual([viewer, undefined])
  })

  it.each([
    ['nothing', ''],
    ['another token', 'another-token'],
    ['the admin token cut short', adminToken.slice(0, -1)],
    ['half a signed token', 'tlv1.e30'],
    ['a signed token without a signature', 'tlv1.e30.'],
    ['100 kB', 'x'.repeat(100_000)],
  ])('tell nobody by %s', (_what, token) => {
    expect(tokens.read(token)?.viewer).toBeUndefined()
  })

  it('tell nobody by a token of which any character was changed', () => {
    const token = tokens.sign({ viewer: ann, expiresAt: inAnHour() })
    const changed = Array.from(
      token,
      (character, at) => token.slice(0, at) + (character === 'A' ? 'B' : 'A') + token.slice(at + 1),
    )

    expect(changed.filter((text) => tokens.read(text)?.viewer !== undefined)).toEqual([])
  })

  it('tell nobody by a token that was signed with another admin token', () => {
    const others = createViewerTokens(digestOf('another-admin-token'))

    expect(tokens.read(others.sign({ viewer: ann, expiresAt: inAnHour() }))).toBeUndefined()
  })
})

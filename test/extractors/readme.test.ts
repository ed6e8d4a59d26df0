import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { expect, it } from 'vitest'
import { wireFormats } from '../../src/extractors/registry.js'
import { samples } from './samples.js'

const root = join(import.meta.dirname, '../..')
const readme = readFileSync(join(root, 'README.md'), 'utf8')
const hosts = readFileSync(join(root, 'src/capture/provider-hosts.ts'), 'utf8')

/** The rows of README's table: a provider's name as in the rows, and the types of its calls. */
const rows = [...readme.matchAll(/^\| [^|]+ \| `([a-z]\w*)` \| ([a-z, ]+) \|$/gm)].map(
  ([, provider = '', calls = '']) => ({
    provider,
    calls: calls.split(', ').sort(),
  }),
)

it("README's table of providers says what the samples prove", () => {
  const proven = [...new Set(samples.map(({ provider }) => provider))].sort()

  expect(rows.map(({ provider }) => provider).sort()).toEqual(proven)
  for (const { provider, calls } of rows) {
    const types = samples.filter((sample) => sample.provider === provider).map(({ requestType }) => requestType)
    expect([provider, ...calls]).toEqual([provider, ...[...new Set(types)].sort()])
  }
})

it('knows no provider that the table leaves out', () => {
  const named = [...hosts.matchAll(/provider: '(\w+)'/g)].map(([, provider = '']) => provider)
  const known = new Set([...named, ...wireFormats.map(({ provider }) => provider)])

  expect([...known].sort()).toEqual(rows.map(({ provider }) => provider).sort())
})

import { readFileSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import { defineConfig, type Plugin } from 'vitest/config'

const directory = process.env.CLIENTS_DIRECTORY ?? ''
const manifest = JSON.parse(readFileSync(`${directory}/package.json`, 'utf8'))
const names = Object.keys(manifest.dependencies)

/** Finds each client where the newer one is installed. */
const otherClients: Plugin = {
  name: 'other-clients',
  enforce: 'pre',
  resolveId(source, _importer, options) {
    if (!names.some((name) => source === name || source.startsWith(`${name}/`))) return undefined
    return this.resolve(source, `${directory}/package.json`, { ...options, skipSelf: true })
  },
}

// biome-ignore lint/style/noDefaultExport: Vitest takes its configuration from there
export default defineConfig({
  root: fileURLToPath(new URL('../..', import.meta.url)),
  plugins: [otherClients],
  test: {
    include: [
      'test/capture/{openai,anthropic,ollama}-client.test.ts',
      'test/capture/{client-ends,language-model-middleware}.test.ts',
      'test/capture/track-*.test.ts',
      'test/clients-current/*.check.js',
    ],
    pool: 'forks',
    testTimeout: 60_000,
    expect: { poll: { timeout: 30_000 } },
  },
})

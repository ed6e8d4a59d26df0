import { readdirSync, readFileSync } from 'node:fs'
import { isBuiltin } from 'node:module'
import { expect, it } from 'vitest'

const src = new URL('../src/', import.meta.url)
const manifest = JSON.parse(readFileSync(new URL('../package.json', import.meta.url), 'utf8'))

/** Packages that the library loads while it runs, by `import()` or `require()`. The web app, which is src/server, says itself what is missing. */
function findLoadedPackages(): string[] {
  const files = readdirSync(src, { recursive: true, encoding: 'utf8' }).filter(
    (path) => path.endsWith('.ts') && !path.startsWith('server'),
  )
  const texts = files.map((path) => readFileSync(new URL(path, src), 'utf8'))
  const specifiers = texts.flatMap((text) =>
    [...text.matchAll(/(?:\bimport|requireFromHere)\('([^'.][^']*)'\)/g)].map(([, specifier]) => specifier ?? ''),
  )
  const names = specifiers.filter((specifier) => !isBuiltin(specifier)).map(packageOf)
  return [...new Set(names)].filter((name) => !(name in manifest.dependencies)).sort()
}

function packageOf(specifier: string): string {
  const [scope = '', name] = specifier.split('/')
  return scope.startsWith('@') ? `${scope}/${name}` : scope
}

// npm refuses to install beside a version outside of an optional peer's range, and no client is imported: what is not
// loaded is no peer, and what is may have any version.
it('has for peers what it loads and may do without, in any version', () => {
  const loaded = findLoadedPackages()

  expect(manifest.peerDependencies).toEqual(Object.fromEntries(loaded.map((name) => [name, '*'])))
  expect(manifest.peerDependenciesMeta).toEqual(Object.fromEntries(loaded.map((name) => [name, { optional: true }])))
  expect(loaded).toContain('gpt-tokenizer')
})

import { readdirSync, readFileSync } from 'node:fs'
import { dirname, join, relative, resolve, sep } from 'node:path'
import { fileURLToPath } from 'node:url'
import { describe, expect, it } from 'vitest'

const src = resolve(dirname(fileURLToPath(import.meta.url)), '../src')
const longestFile = 250

/** Which parts of src may import which others; a part is a folder or a file at the root. `errors.ts` is open to all. */
const mayImport: Record<string, readonly string[]> = {
  'errors.ts': [],
  usage: [],
  'config.ts': [],
  extractors: ['usage'],
  pricing: ['usage'],
  recording: ['usage', 'pricing'],
  capture: ['usage', 'extractors', 'recording'],
  execution: ['usage', 'extractors', 'recording', 'capture'],
  middleware: ['recording', 'budgets'],
  postgres: ['usage', 'pricing', 'recording', 'config.ts'],
  analytics: ['usage', 'postgres'],
  // Of recording the spool only: whoever is erased is erased there as well.
  history: ['usage', 'pricing', 'extractors', 'recording', 'postgres'],
  'create-usage-logger.ts': ['*'],
  'create-usage-reports.ts': ['*'],
  'index.ts': ['*'],
  cli: ['*'],
  server: ['*'],
  dashboard: ['server'],
}

type SourceFile = { readonly path: string; readonly text: string; readonly imports: readonly string[] }

const files: readonly SourceFile[] = readdirSync(src, { recursive: true, encoding: 'utf8' })
  .filter((path) => /\.tsx?$/.test(path))
  .map((path) => {
    const text = readFileSync(join(src, path), 'utf8')
    const specifiers = [...text.matchAll(/(?:from|import)\s*\(?\s*'(\.[^']+)'/g)].map(
      ([, specifier]) => specifier ?? '',
    )
    const imports = specifiers.map((specifier) =>
      relative(src, resolve(src, dirname(path), specifier)).replace(/\.js$/, '.ts'),
    )
    return { path, text, imports }
  })

const partOf = (path: string): string => path.split(sep)[0] ?? path

describe('the structure of src', () => {
  it('imports only along the arrows of the table', () => {
    const wrong = files.flatMap(({ path, imports }) =>
      imports
        .filter((imported) => !isAllowed(partOf(path), partOf(imported)))
        .map(
          (imported) =>
            `${path} imports ${imported}: ${partOf(path)} may import ${mayImport[partOf(path)]?.join(', ')}`,
        ),
    )

    expect(wrong).toEqual([])
  })

  it('has no folder or root file that the table does not name', () => {
    const unknown = [...new Set(files.map(({ path }) => partOf(path)))].filter((part) => !(part in mayImport))

    expect(unknown).toEqual([])
  })

  it('has no cycle of imports', () => {
    const importsOf = new Map(files.map(({ path, imports }) => [path, imports]))
    const finished = new Set<string>()
    const cycles: string[] = []
    const visit = (path: string, trail: readonly string[]): void => {
      if (trail.includes(path)) cycles.push([...trail.slice(trail.indexOf(path)), path].join(' -> '))
      if (trail.includes(path) || finished.has(path)) return
      for (const imported of importsOf.get(path) ?? []) visit(imported, [...trail, path])
      finished.add(path)
    }

    for (const { path } of files) visit(path, [])

    expect(cycles).toEqual([])
  })

  it(`has no file of more than ${longestFile} lines`, () => {
    const long = files.filter(({ text }) => text.trimEnd().split('\n').length > longestFile).map(({ path }) => path)

    expect(long).toEqual([])
  })

  it('reads the environment in config.ts only', () => {
    const readers = files.filter(({ text }) => text.includes('process.env')).map(({ path }) => path)

    expect(readers).toEqual(['config.ts'])
  })

  it("takes from the server to the page nothing but its router's types", () => {
    const wrong = files
      .filter(({ path }) => partOf(path) === 'dashboard')
      .flatMap(({ text }) => text.match(/^import .*'\.\.\/.*$/gm) ?? [])
      .filter((line) => line !== "import type { UsageRouter } from '../server/router.js'")

    expect(wrong).toEqual([])
  })

  it('imports pg in postgres only, and elsewhere at most its types', () => {
    const users = files
      .filter(({ path, text }) => partOf(path) !== 'postgres' && /^import (?!type )[^\n]* from 'pg'/m.test(text))
      .map(({ path }) => path)

    expect(users).toEqual([])
  })
})

function isAllowed(from: string, to: string): boolean {
  const allowed = mayImport[from] ?? []
  return from === to || to === 'errors.ts' || allowed.includes('*') || allowed.includes(to)
}

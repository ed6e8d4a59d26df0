import { cpSync, readdirSync, readFileSync, writeFileSync } from 'node:fs'
import { basename, join } from 'node:path'
import { linkPackages } from './copy-project.js'
import { type Host, run } from './host.js'
import { readManifest } from './packages.js'

// What an app in TypeScript has besides; prom-client and the other optional peers are not there.
const dependencies = ['express', '@trpc/server', 'pg', 'typescript', '@types/express', '@types/node']

/**
 * Installs what `npm publish` would send in an empty project, from the packages of the deployed app, which have no
 * development dependencies among them.
 */
export async function installPackage(app: Host, consumer: Host): Promise<string> {
  cpSync(new URL('consumer', import.meta.url), consumer.directory, { recursive: true })
  const modules = join(app.directory, 'node_modules')
  const versions = dependencies.map((name) => [name, readManifest(join(modules, name)).version])
  const manifest = { private: true, type: 'module', dependencies: Object.fromEntries(versions) }
  writeFileSync(join(consumer.directory, 'package.json'), JSON.stringify(manifest))
  // Built a moment ago, and without development dependencies it cannot be built again.
  await run(app, `npm pack --ignore-scripts --pack-destination ${consumer.directory}`)
  const isLinked = linkPackages(modules, join(consumer.directory, 'node_modules'))
  const [archive] = readdirSync(consumer.directory).filter((name) => name.endsWith('.tgz'))
  await run(consumer, `npm install ${isLinked ? '--offline' : ''} ./${archive}`)
  return `${archive}, ${isLinked ? 'offline' : 'from the registry'}`
}

/** Compiles a program, and each snippet of the documents that needs no other package, as a strict project does. */
export async function compile(app: Host, consumer: Host): Promise<string> {
  const snippets = [join(app.directory, 'README.md'), ...documents(app)].flatMap(readSnippets)
  for (const { name, text } of snippets) writeFileSync(join(consumer.directory, `${name}.ts`), text)
  await run(consumer, 'node_modules/.bin/tsc')
  return `${snippets.length} snippets`
}

function documents({ directory }: Host): string[] {
  const docs = join(directory, 'docs')
  return readdirSync(docs)
    .filter((name) => name.endsWith('.md'))
    .map((name) => join(docs, name))
}

function readSnippets(path: string): { readonly name: string; readonly text: string }[] {
  const blocks = [...readFileSync(path, 'utf8').matchAll(/^```ts\n(.*?)^```$/gms)].map(([, text = '']) => text)
  // A file without an import or an export would share its names with all others.
  return blocks
    .filter((text) => !text.includes("from 'prom-client'"))
    .map((text, index) => ({ name: `${basename(path, '.md')}-${index + 1}`, text: `${text}\nexport {}\n` }))
}

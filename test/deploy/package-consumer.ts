import { cpSync, readdirSync, readFileSync, writeFileSync } from 'node:fs'
import { basename, join } from 'node:path'
import { copyPackages } from './copy-project.js'
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
  copyPackages(modules, join(consumer.directory, 'node_modules'))
  const [archive] = readdirSync(consumer.directory).filter((name) => name.endsWith('.tgz'))
  await run(consumer, `npm install --offline ./${archive}`)
  return String(archive)
}

/** Compiles a program, and each snippet of the documents that needs no other package, as a strict project does. */
export async function compile(app: Host, consumer: Host): Promise<string> {
  const snippets = [join(app.directory, 'README.md'), ...documents(app)].flatMap(readSnippets)
  const [compiled, others] = [snippets.filter(needsNothing), snippets.filter((snippet) => !needsNothing(snippet))]
  for (const { name, text } of compiled) writeFileSync(join(consumer.directory, `${name}.ts`), text)
  await run(consumer, 'node_modules/.bin/tsc')
  return `${compiled.length} snippets; not ${others.map(({ name }) => name)}, for want of prom-client`
}

function documents({ directory }: Host): string[] {
  const docs = join(directory, 'docs')
  return readdirSync(docs)
    .filter((name) => name.endsWith('.md'))
    .map((name) => join(docs, name))
}

type Snippet = { readonly name: string; readonly text: string }

function needsNothing({ text }: Snippet): boolean {
  return !text.includes("from 'prom-client'")
}

function readSnippets(path: string): Snippet[] {
  const blocks = [...readFileSync(path, 'utf8').matchAll(/^```ts\n(.*?)^```$/gms)].map(([, text = '']) => text)
  // A file without an import or an export would share its names with all others.
  return blocks.map((text, index) => ({ name: `${basename(path, '.md')}-${index + 1}`, text: `${text}\nexport {}\n` }))
}

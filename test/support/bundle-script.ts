import { rmSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { buildSync } from 'esbuild'

const root = fileURLToPath(new URL('../..', import.meta.url))
const bundles = new Map<string, string>()

/**
 * A script of this repository (`src/cli/main.ts`) as one file of JavaScript, for tests that start it as a process: that takes
 * a third of the time that it takes through tsx.
 */
export function bundleScript(path: string): string {
  // As deep as the folders of src, so that it finds sql/ and dist/ where they do.
  const bundle =
    bundles.get(path) ??
    join(root, `.data/bundles/${path.replace(/\.ts$/, '').replaceAll('/', '-')}-${process.pid}.mjs`)
  if (bundles.has(path)) return bundle
  bundles.set(path, bundle)
  buildSync({
    entryPoints: [join(root, path)],
    outfile: bundle,
    bundle: true,
    packages: 'external',
    platform: 'node',
    format: 'esm',
  })
  process.once('exit', () => rmSync(bundle, { force: true }))
  return bundle
}

import { existsSync, readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'

export type Manifest = {
  readonly name: string
  readonly version: string
  readonly dependencies?: Record<string, string>
  readonly devDependencies?: Record<string, string>
  readonly peerDependencies?: Record<string, string>
}

export function readManifest(directory: string): Manifest {
  return JSON.parse(readFileSync(join(directory, 'package.json'), 'utf8'))
}

/** The development dependencies that are installed, each with who else wants it: nobody, for one that should be gone. */
export function findDevelopmentPackages(project: string): { readonly name: string; readonly wantedBy: string[] }[] {
  const modules = join(project, 'node_modules')
  const manifests = findPackages(modules).map(readManifest)
  const isInstalled = (name: string) => existsSync(join(modules, name, 'package.json'))
  const names = Object.keys(readManifest(project).devDependencies ?? {})
  return names.filter(isInstalled).map((name) => ({ name, wantedBy: findUsers(name, manifests) }))
}

function findUsers(name: string, manifests: readonly Manifest[]): string[] {
  const wants = ({ dependencies, peerDependencies }: Manifest) => name in { ...dependencies, ...peerDependencies }
  return manifests.filter(wants).map((manifest) => manifest.name)
}

function findPackages(modules: string): string[] {
  const directories = readdirSync(modules).flatMap((name) =>
    name.startsWith('@')
      ? readdirSync(join(modules, name)).map((inScope) => join(modules, name, inScope))
      : join(modules, name),
  )
  return directories.filter((directory) => existsSync(join(directory, 'package.json')))
}

import { createHash } from 'node:crypto'
import { readdir, readFile } from 'node:fs/promises'
import { fileURLToPath } from 'node:url'
import { MigrationError } from '../errors.js'

export type Migration = {
  /** The file's name, `0001-original-table.sql`; the order of the names is the order of the migrations. */
  readonly name: string
  readonly sql: string
  /** Of the text with `\n` line ends, so that a checkout on Windows is the same migration. */
  readonly sha256: string
}

export type AppliedMigration = Pick<Migration, 'name' | 'sha256'>

/** What a database still needs; `newer` are the ones that only a later version of tokenledger knows. */
export type MigrationPlan = {
  readonly pending: readonly Migration[]
  readonly alreadyApplied: number
  readonly newer: readonly string[]
}

/** Reads the migrations of a directory, by default those of this package, in their order. */
export async function readMigrations(
  directory: string | URL = new URL('../../sql/migrations/', import.meta.url),
): Promise<Migration[]> {
  const path = typeof directory === 'string' ? directory : fileURLToPath(directory)
  const names = (await readdir(path)).filter((name) => name.endsWith('.sql')).sort()
  return Promise.all(
    names.map(async (name) => {
      const sql = (await readFile(`${path}/${name}`, 'utf8')).replaceAll('\r\n', '\n')
      return { name, sql, sha256: createHash('sha256').update(sql).digest('hex') }
    }),
  )
}

/**
 * Compares the files with what a database has recorded. Throws a `MigrationError` naming an applied file that was
 * edited, renamed or removed since, or that belongs between those of this version.
 */
export function planMigrations(files: readonly Migration[], applied: readonly AppliedMigration[]): MigrationPlan {
  const fileByName = new Map(files.map((file) => [file.name, file]))
  const lastName = files.at(-1)?.name ?? ''
  for (const { name, sha256 } of applied) {
    const file = fileByName.get(name)
    if (file && file.sha256 !== sha256) {
      throw new MigrationError(
        `${name} was edited after it had been applied to this database. Restore the file and put the change into a new one.`,
      )
    }
    if (!file && name < lastName) {
      throw new MigrationError(`${name} was applied to this database, but the file is missing. Restore it.`)
    }
  }

  const appliedNames = new Set(applied.map(({ name }) => name))
  const pending = files.filter(({ name }) => !appliedNames.has(name))
  const newer = [...appliedNames].filter((name) => !fileByName.has(name)).sort()
  const lastApplied = [...appliedNames].sort().at(-1) ?? ''
  const late = pending.find(({ name }) => name < lastApplied)
  if (late) {
    throw new MigrationError(
      `${late.name} was never applied to this database, though ${lastApplied} was. Give it a number after that one.`,
    )
  }
  return { pending, alreadyApplied: files.length - pending.length, newer }
}

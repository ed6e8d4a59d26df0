import type { TestDatabase } from '../support/test-database.js'

/** Every value of every table of a database as one text, as a dump has it. */
export async function textOfDatabase({ query }: TestDatabase): Promise<string> {
  const tables = await query(
    `select relname as name from pg_class where relnamespace = 'public'::regnamespace and relkind = 'r'`,
  )
  const texts: string[] = []
  for (const { name } of tables) {
    const [row] = await query(`select coalesce(string_agg(rows::text, E'\\n'), '') as text from ${name} as rows`)
    texts.push(String(row?.text))
  }
  return texts.join('\n')
}

import { afterAll, beforeAll, expect, test } from 'vitest'
import { createTestDatabase, type TestDatabase } from '../support/test-database.js'
import { describeSchema } from './describe-schema.js'

let database: TestDatabase

beforeAll(async () => {
  database = await createTestDatabase()
})
afterAll(() => database.drop())

test('sql/schema.sql is the schema that the migrations make', async () => {
  const schema = await describeSchema(database)

  await expect(schema).toMatchFileSnapshot('../../sql/schema.sql')
})

test('every table, view and column has a comment', async () => {
  const uncommented = await database.query(`
    select oid::regclass::text || coalesce('.' || attname, '') as name
    from pg_class
    left join (select attrelid, attname, attnum from pg_attribute where attnum > 0 and not attisdropped
      union all select oid, null, 0 from pg_class) as parts on attrelid = oid
    where relnamespace = 'public'::regnamespace
      and relkind in ('r', 'v')
      and (case when attnum = 0 then obj_description(oid, 'pg_class') else col_description(oid, attnum) end) is null`)

  expect(uncommented).toEqual([])
})

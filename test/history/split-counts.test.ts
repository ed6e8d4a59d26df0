import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { previewSplitCounts, splitCounts } from '../../src/history/split-counts.js'
import { createTestDatabase, type TestDatabase } from '../support/test-database.js'

let database: TestDatabase

beforeEach(async () => {
  database = await createTestDatabase({ template: 'empty' })
})
afterEach(() => database.drop())

const messages = { table: 'llm_messages' }

async function createMessages({ tokens = 'integer', cost = 'numeric(12,6)' } = {}): Promise<void> {
  await database.query(
    `create table llm_messages (id serial primary key, role text, "tokenCount" ${tokens}, "tokenCost" ${cost})`,
  )
  await database.query(
    `insert into llm_messages (role, "tokenCount", "tokenCost")
    values ('user', 120, 0.1), ('system', 30, 0.2), ('assistant', 400, 0.3), ('assistant', 7, 0.000001), ('user', 0, 0)`,
  )
}

const columnsOf = async (table: string): Promise<string[]> =>
  (
    await database.query(
      'select attname from pg_attribute where attrelid = $1::regclass and attnum > 0 and not attisdropped order by attnum',
      [table],
    )
  ).map(({ attname }) => attname)

describe('a split', () => {
  test('moves what users and the system said to input and what the assistant said to output', async () => {
    await createMessages()

    const result = await splitCounts(database.pool, messages)

    expect(
      await database.query(
        `select role, token_count_input as ti, token_count_output as "to", token_cost_input::text as ci, token_cost_output::text as co
        from llm_messages order by id`,
      ),
    ).toEqual([
      { role: 'user', ti: 120, to: 0, ci: '0.100000', co: '0.000000' },
      { role: 'system', ti: 30, to: 0, ci: '0.200000', co: '0.000000' },
      { role: 'assistant', ti: 0, to: 400, ci: '0.000000', co: '0.300000' },
      { role: 'assistant', ti: 0, to: 7, ci: '0.000000', co: '0.000001' },
      { role: 'user', ti: 0, to: 0, ci: '0.000000', co: '0.000000' },
    ])
    expect(result).toMatchObject({
      table: 'public.llm_messages',
      done: 'split',
      rows: 5,
      skipped: 0,
      droppedColumns: [],
    })
    expect(result.sums.map(({ role, rows, sums }) => [role, rows, ...Object.values(sums)])).toEqual([
      ['assistant', 2, '0', '407', '0.000000', '0.300001'],
      ['system', 1, '30', '0', '0.200000', '0.000000'],
      ['user', 2, '120', '0', '0.100000', '0.000000'],
      ['total', 5, '150', '407', '0.300000', '0.300001'],
    ])
    expect(await columnsOf('llm_messages')).toContain('tokenCount')
  })

  test.each(['smallint', 'integer', 'bigint', 'numeric', 'numeric(20,12)', 'real', 'double precision'])(
    'keeps every count and cost of type %s as it is',
    async (type) => {
      await createMessages({ tokens: type, cost: type })

      await splitCounts(database.pool, messages)

      expect(
        await database.query(
          `select id from llm_messages
          where token_count_input + token_count_output is distinct from "tokenCount"
            or token_cost_input + token_cost_output is distinct from "tokenCost"
            or pg_typeof(token_cost_input) <> pg_typeof("tokenCost")`,
        ),
      ).toEqual([])
    },
  )

  test.each(['"tokenCount"', 'tokencount', 'token_count'])('finds the column %s by itself', async (column) => {
    await database.query(`create table llm_messages (id int primary key, role text, ${column} int)`)
    await database.query(`insert into llm_messages values (1, 'user', 5), (2, 'assistant', 6)`)

    const result = await splitCounts(database.pool, { ...messages, oldColumns: 'drop' })

    expect(result).toMatchObject({ rows: 2, droppedColumns: [column.replaceAll('"', '')] })
    expect(await columnsOf('llm_messages')).toEqual(['id', 'role', 'token_count_input', 'token_count_output'])
  })

  test('takes names as hostile as PostgreSQL does, in any schema', async () => {
    const table = 'Mess "ages"; drop table x; --'
    const long = 'ü'.repeat(31)
    const quoted = (name: string) => `"${name.replaceAll('"', '""')}"`
    await database.query('create schema "My.Schema"')
    await database.query(
      `create table "My.Schema".${quoted(table)} ("order" int, "select" text, "'$$;" numeric, primary key ("order"))`,
    )
    await database.query(`insert into "My.Schema".${quoted(table)} values (1, 'user', 1.5), (2, 'assistant', 2)`)
    const options = {
      table: `"My.Schema".${quoted(table)}`,
      roleColumn: 'select',
      tokensColumn: "'$$;",
      inputTokensColumn: '"; drop table x; --',
      outputTokensColumn: long,
    }

    await splitCounts(database.pool, options)
    const again = await splitCounts(database.pool, options)
    const back = await splitCounts(database.pool, options, 'restore')

    expect(again.done).toBe('none')
    expect(back).toMatchObject({ done: 'restored', droppedColumns: ['"; drop table x; --', long] })
    await expect(splitCounts(database.pool, { ...options, outputTokensColumn: `${long}xx` })).rejects.toThrow(
      '1 to 63 bytes',
    )
  })

  test('that is run again has nothing to do, and moves what old programs wrote since', async () => {
    await createMessages()
    await splitCounts(database.pool, messages)

    const again = await splitCounts(database.pool, messages)
    await database.query(`insert into llm_messages (role, "tokenCount", "tokenCost") values ('assistant', 9, 1)`)
    const late = await splitCounts(database.pool, messages)

    expect(again).toMatchObject({ done: 'none', rows: 0, sums: [] })
    expect(late).toMatchObject({ done: 'split', rows: 1 })
    expect(await database.query('select sum(token_count_output)::int as sum from llm_messages')).toEqual([{ sum: 416 }])
  })

  test('keeps what the application wrote to the new columns', async () => {
    await createMessages()
    await splitCounts(database.pool, messages)
    await database.query(`insert into llm_messages (role, token_count_input) values ('tool', 3)`)
    await database.query('update llm_messages set token_count_input = 121 where id = 1')

    const again = await splitCounts(database.pool, messages)

    expect(again.done).toBe('none')
    await expect(splitCounts(database.pool, { ...messages, oldColumns: 'drop' })).rejects.toThrow(
      /^1 of the rows of public.llm_messages cannot be split: 1 \(its new counts add up to another sum\)/,
    )
  })

  test('is stopped by unknown roles, rows without a role and NULLs, which are named by their ids', async () => {
    await createMessages()
    await database.query(
      `insert into llm_messages (role, "tokenCount", "tokenCost")
      values ('tool', 1, 1), (null, 2, 2), ('user', null, 1), ('user', 1, null), ('User', 5, 5)`,
    )

    await expect(splitCounts(database.pool, messages)).rejects.toThrow(
      '5 of the rows of public.llm_messages cannot be split: 6 (role tool), 7 (no role), 8 (no tokenCount), 9 (no tokenCost), 10 (role User).',
    )
    expect(await columnsOf('llm_messages')).toEqual(['id', 'role', 'tokenCount', 'tokenCost'])
  })

  test.each([
    ['input', '158', '407', 0],
    ['output', '150', '415', 0],
    ['skip', '150', '407', 3],
  ] as const)('counts them as %s if told to, and leaves a NULL NULL', async (unknownRole, input, output, skipped) => {
    await createMessages()
    await database.query(
      `insert into llm_messages (role, "tokenCount", "tokenCost") values ('tool', 1, 1), (null, 2, 2), ('user', null, 1), ('User', 5, 5)`,
    )

    const result = await splitCounts(database.pool, { ...messages, unknownRole })

    expect(result).toMatchObject({ rows: 9 - skipped, skipped })
    expect(result.sums.at(-1)?.sums).toMatchObject({ token_count_input: input, token_count_output: output })
    expect(
      await database.query('select token_count_input as i, token_count_output as o from llm_messages where id = 8'),
    ).toEqual([{ i: null, o: null }])
    expect((await splitCounts(database.pool, { ...messages, unknownRole })).done).toBe('none')
  })

  test('of skipped rows does not drop the columns that hold their counts', async () => {
    await createMessages()
    await database.query(`insert into llm_messages (role, "tokenCount", "tokenCost") values ('tool', 1, 1)`)

    const drop = splitCounts(database.pool, { ...messages, unknownRole: 'skip', oldColumns: 'drop' })

    await expect(drop).rejects.toThrow(/^1 of the rows .*: 6 \(role tool\). Their counts would be lost/)
  })

  test('changes nothing where a trigger makes the sums differ', async () => {
    await createMessages()
    await database.query(
      `create function spoil() returns trigger language plpgsql as
      'begin new."tokenCount" := 0; if to_jsonb(new) ? ''token_count_input'' then new := jsonb_populate_record(new, ''{"token_count_input": 1}''); end if; return new; end'`,
    )
    await database.query('create trigger spoil before update on llm_messages for each row execute function spoil()')

    await expect(splitCounts(database.pool, messages)).rejects.toThrow(
      'The sums of public.llm_messages differ afterwards (assistant, system, user, total), perhaps because',
    )
    expect(await columnsOf('llm_messages')).toEqual(['id', 'role', 'tokenCount', 'tokenCost'])
  })

  test('does not drop an index, a constraint or a view in silence', async () => {
    await createMessages()
    await database.query('create index by_tokens on llm_messages (id, "tokenCount")')
    await database.query('create view costs as select "tokenCost" from llm_messages')

    await expect(splitCounts(database.pool, { ...messages, oldColumns: 'drop' })).rejects.toThrow(
      'tokenCount and tokenCost of public.llm_messages cannot be dropped: index by_tokens, rule _RETURN on view costs would be lost.',
    )
  })

  test('names what is missing', async () => {
    await expect(splitCounts(database.pool, { table: 'nowhere' })).rejects.toThrow('There is no table "nowhere"')
    await database.query('create table plain (id int, body text)')
    await expect(splitCounts(database.pool, { table: 'plain' })).rejects.toThrow(
      'has no column tokenCount or tokenCost. It has id, body;',
    )
    await database.query('create table typed (role text, token_count text)')
    await expect(splitCounts(database.pool, { table: 'typed' })).rejects.toThrow(
      'token_count of public.typed is of type text',
    )
    await database.query('create table twofold (role text, token_count int, tokencount int)')
    await expect(splitCounts(database.pool, { table: 'twofold' })).rejects.toThrow(
      'Name the one to split with --tokens-column',
    )
  })
})

describe('a rollback', () => {
  const described = () =>
    database.query('select id, role, "tokenCount" as t, "tokenCost"::text as c from llm_messages order by id')

  test.each(['keep', 'drop'] as const)('restores the table when the old columns were to %s', async (oldColumns) => {
    await createMessages()
    await database.query('alter table llm_messages alter "tokenCount" set default 0, alter "tokenCount" set not null')
    const before = await described()
    await splitCounts(database.pool, { ...messages, oldColumns })

    const result = await splitCounts(database.pool, messages, 'restore')

    expect(result).toMatchObject({ done: 'restored' })
    expect(await described()).toEqual(before)
    expect((await columnsOf('llm_messages')).sort()).toEqual(['id', 'role', 'tokenCost', 'tokenCount'])
    expect(
      await database.query(
        `select column_name, data_type, is_nullable, column_default from information_schema.columns where column_name like 'token%' order by 1`,
      ),
    ).toEqual([
      { column_name: 'tokenCost', data_type: 'numeric', is_nullable: 'YES', column_default: null },
      { column_name: 'tokenCount', data_type: 'integer', is_nullable: 'NO', column_default: '0' },
    ])
    expect((await splitCounts(database.pool, messages, 'restore')).done).toBe('none')
  })

  test('gives rows that were written since the sum of both sides', async () => {
    await createMessages()
    await splitCounts(database.pool, messages)
    await database.query(`insert into llm_messages (role, token_count_input, token_count_output) values ('tool', 3, 4)`)

    await splitCounts(database.pool, messages, 'restore')

    expect((await described()).at(-1)).toEqual({ id: 6, role: 'tool', t: 7, c: null })
  })

  test('drops no column that it did not add', async () => {
    await createMessages()
    await database.query('alter table llm_messages add token_count_input int, add token_count_output int')

    await expect(splitCounts(database.pool, messages, 'restore')).rejects.toThrow(
      'token_count_input of public.llm_messages was not added by split-counts',
    )
  })
})

test('what is printed does the same when it is run by hand, and changes nothing before', async () => {
  await createMessages()

  const preview = await previewSplitCounts(database.pool, { ...messages, oldColumns: 'drop' })
  const columnsBefore = await columnsOf('llm_messages')
  await database.query(`begin; ${preview.statements.join(';\n')}; commit`)

  expect(columnsBefore).toEqual(['id', 'role', 'tokenCount', 'tokenCost'])
  expect(preview).toMatchObject({ done: 'split', rows: 5, droppedColumns: ['tokenCount', 'tokenCost'] })
  expect(await columnsOf('llm_messages')).toEqual([
    'id',
    'role',
    'token_count_input',
    'token_count_output',
    'token_cost_input',
    'token_cost_output',
  ])
  expect(await database.query('select sum(token_count_input)::int as sum from llm_messages')).toEqual([{ sum: 150 }])
})

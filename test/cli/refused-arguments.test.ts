import { type Command, CommanderError } from 'commander'
import { expect, test } from 'vitest'
import { createPricesCommand } from '../../src/cli/prices.js'
import { createRepriceCommand } from '../../src/cli/reprice.js'

/** What a command line that is refused before anything is connected leaves on stderr. */
async function refusalOf(command: Command, args: readonly string[]): Promise<string> {
  let stderr = ''
  for (const one of [command, ...command.commands]) {
    one.exitOverride().configureOutput({ writeErr: (text) => (stderr += text) })
  }
  const error: unknown = await command.parseAsync(args, { from: 'user' }).catch((reason) => reason)
  expect(error).toBeInstanceOf(CommanderError)
  expect((error as CommanderError).exitCode).not.toBe(0)
  return stderr
}

test.each([
  [[], 'Usage: prices'],
  [['lst'], "unknown command 'lst'"],
  [['set', '--model', 'm', '--input', '1'], '--provider'],
  [['set', '--provider', 'a', '--model', 'm'], 'it names no price'],
  [['set', '--provider', 'a', '--model', 'm', '--request', '0'], 'it names no price'],
  [['set', '--provider', 'a', '--model', 'm', '--input', '-1'], 'US dollars from 0 to 1000000'],
  [['set', '--provider', 'a', '--model', ' ', '--input', '1'], 'It has to be a name'],
  [['set', '--provider', 'a', '--model', 'm', '--input', '1', '--valid-from', 'May'], 'a day or a time such as'],
  [
    ['set', '--provider', 'a', '--model', 'm', '--input', '1', '--valid-to', '2000-01-01'],
    'it has to end after it begins',
  ],
  [['set', '--provider', 'a', '--model', 'm', '--inptu', '1'], "unknown option '--inptu'"],
  [['import'], 'file'],
])('prices %j is not understood', async (args, reason) => {
  expect(await refusalOf(createPricesCommand(), args)).toContain(reason)
})

test.each([
  [['--until', '2026-02-01', '--yes'], '--since'],
  [['--since', 'yesterday', '--yes'], 'a day or a time such as'],
  [['--since', '2026-01-01', '--until', '2026-01-01', '--yes'], '--until has to be later than --since'],
])('reprice %j is not understood', async (args, reason) => {
  expect(await refusalOf(createRepriceCommand(), args)).toContain(reason)
})

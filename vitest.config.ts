import { availableParallelism } from 'node:os'
import { defineConfig } from 'vitest/config'
import { BaseSequencer, type Reporter, type TestSpecification } from 'vitest/node'

// What takes a minute is not to be alone at the end.
const longFiles = /test\/(faults|dashboard|demo|capture)\//

class LongFilesFirst extends BaseSequencer {
  override async sort(files: TestSpecification[]): Promise<TestSpecification[]> {
    const sorted = await super.sort(files)
    const isLong = ({ moduleId }: TestSpecification) => longFiles.test(moduleId)
    return [...sorted.filter(isLong), ...sorted.filter((file) => !isLong(file))]
  }
}

// The default reporter counts what is skipped, and does not say why.
const skipReasons: Reporter = {
  onTestCaseResult(test) {
    const { state, ...result } = test.result()
    if (state === 'skipped' && 'note' in result && result.note)
      console.log(`skipped: ${test.fullName} (${result.note})`)
  },
}

// What the environment says to other programs, or to this one elsewhere, is nothing to a test; and Node complains on
// stderr of two opinions about colours.
const foreign =
  /^(DATABASE_URL|LITELLM_DATABASE_URL|PORT|HOST|DYNO|FORCE_COLOR)$|^(TOKEN_LOG|TOKENLEDGER_|PG|OPENAI_|ANTHROPIC_|OLLAMA_|GEMINI_|GOOGLE_|GROQ_|TOGETHER_|CEREBRAS_)/
for (const name of Object.keys(process.env)) if (foreign.test(name)) delete process.env[name]

export default defineConfig({
  test: {
    reporters: ['default', skipReasons],
    include: ['test/**/*.test.ts'],
    globalSetup: 'test/support/global-setup.ts',
    pool: 'forks',
    sequence: { sequencer: LongFilesFirst },
    // Tests wait for a database, a network or a lock more than they compute.
    maxWorkers: Math.max(2, availableParallelism() - 1),
    // For what never comes: a machine that others keep busy, or that stands still for seconds, is slow and not wrong.
    testTimeout: 60_000,
    hookTimeout: 60_000,
    expect: { poll: { timeout: 30_000 } },
  },
})

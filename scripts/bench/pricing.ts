import { calcPrice } from '@pydantic/genai-prices'
import { priceList } from '../../src/pricing/price-list.js'
import { Pricer } from '../../src/pricing/pricer.js'
import { draftRecord } from '../../src/usage/draft-record.js'
import { toUsageRecord } from '../../src/usage/to-usage-record.js'
import type { UsageRecord } from '../../src/usage/usage-record.js'
import { median, printMachine, printTable } from './report.js'

const rounds = 25
const recordsPerRound = 10_000

const models = [
  ['openai', 'gpt-4o-mini'],
  ['anthropic', 'claude-sonnet-4-5-20250929'],
  ['deepseek', 'deepseek-chat'],
  ['openrouter', 'anthropic/claude-haiku-4.5'],
] as const
const rawUsage = {
  service_tier: 'default',
  prompt_tokens: 1500,
  completion_tokens: 350,
  total_tokens: 1850,
  prompt_tokens_details: { cached_tokens: 1024, audio_tokens: 0 },
  completion_tokens_details: { reasoning_tokens: 128, audio_tokens: 0, accepted_prediction_tokens: 0 },
}
const counts = { inputTokens: 1500, outputTokens: 350, cacheReadTokens: 1024, reasoningTokens: 128 }
const usage = { input_tokens: 1500, output_tokens: 350, cache_read_tokens: 1024 }

const pricer = new Pricer([priceList])
const price = (record: UsageRecord) => pricer.price(record)
const recordsWith = (raw: object | undefined) =>
  Array.from({ length: recordsPerRound }, (_, index) => {
    const [provider, modelName] = models[index % models.length] ?? models[0]
    return toUsageRecord(draftRecord({ provider, modelName, ...counts, rawUsage: raw }, {}, Date.now()))
  })
const ask = ({ provider, modelName, timestamp }: UsageRecord) =>
  calcPrice(usage, modelName, {
    providerId: provider ?? '',
    timestamp: new Date(timestamp),
  })

const arms = {
  plain: { records: recordsWith(undefined), work: price },
  raw: { records: recordsWith(rawUsage), work: price },
  library: { records: recordsWith(undefined), work: ask },
}
type Arm = keyof typeof arms
const names: Readonly<Record<Arm, string>> = {
  plain: 'a record of usage.log()',
  raw: "a captured record, its provider's numbers read",
  library: 'calcPrice() of @pydantic/genai-prices, which keeps nothing it found',
}

const figures = new Map<Arm, number[]>()
for (let round = 0; round < rounds; round++) {
  for (const arm of Object.keys(arms) as Arm[]) {
    const { records, work } = arms[arm]
    figures.set(arm, [...(figures.get(arm) ?? []), nanosecondsPer(records, work)])
  }
}

printMachine()
const base = median(figures.get('library') ?? [])
printTable(
  `the cost of one record, of ${models.length} models in turn, n = ${rounds} x ${recordsPerRound}`,
  (Object.keys(arms) as Arm[]).map((arm) => {
    const figure = median(figures.get(arm) ?? [])
    return { what: names[arm], figure: `${figure.toFixed(0)} ns`, ratio: (figure / base).toFixed(3) }
  }),
)

function nanosecondsPer(records: readonly UsageRecord[], work: (record: UsageRecord) => unknown): number {
  const start = process.hrtime.bigint()
  for (const record of records) work(record)
  return Number(process.hrtime.bigint() - start) / records.length
}

import type { UsageLogger } from '../create-usage-logger.js'
import type { UsageEntry } from '../usage/usage-record.js'

type DemoModel = {
  readonly provider: string
  readonly modelName: string
  readonly operation: string
  readonly project: string
  /** Its share of the calls, against the others'. */
  readonly weight: number
  /** Tokens of an ordinary call, and the most of the input that comes from the cache. */
  readonly inputTokens: number
  readonly outputTokens: number
  readonly cached: number
  readonly durationMs: number
  /** Used from this day on, counted from the first of the 90. */
  readonly fromDay?: number
}

const days = 90
const callsOfADay = 100
const loopDay = 71
const loopCalls = 80
const dayMs = 86_400_000
const seed = 20_260_101
const entriesPerTurn = 500

const models: readonly DemoModel[] = [
  {
    provider: 'openai',
    modelName: 'gpt-4o',
    operation: 'answer',
    project: 'support',
    weight: 5,
    inputTokens: 2400,
    outputTokens: 420,
    cached: 0.55,
    durationMs: 3800,
  },
  {
    provider: 'openai',
    modelName: 'gpt-4o-mini',
    operation: 'classify',
    project: 'support',
    weight: 6,
    inputTokens: 600,
    outputTokens: 12,
    cached: 0,
    durationMs: 700,
  },
  {
    provider: 'anthropic',
    modelName: 'claude-sonnet-4-5',
    operation: 'summarise',
    project: 'documents',
    weight: 3,
    inputTokens: 9000,
    outputTokens: 650,
    cached: 0.1,
    durationMs: 9000,
    fromDay: 20,
  },
  {
    provider: 'anthropic',
    modelName: 'claude-sonnet-4-5',
    operation: 'review',
    project: 'documents',
    weight: 2,
    inputTokens: 6000,
    outputTokens: 240,
    cached: 0.9,
    durationMs: 5000,
    fromDay: 40,
  },
  {
    provider: 'openai',
    modelName: 'gpt-4o-mini',
    operation: 'answer',
    project: 'support',
    weight: 2,
    inputTokens: 2200,
    outputTokens: 380,
    cached: 0.4,
    durationMs: 2100,
    fromDay: 50,
  },
  {
    provider: 'gemini',
    modelName: 'gemini-2.5-flash',
    operation: 'translate',
    project: 'documents',
    weight: 3,
    inputTokens: 1500,
    outputTokens: 1400,
    cached: 0,
    durationMs: 4200,
  },
  {
    provider: 'ollama',
    modelName: 'llama3.2',
    operation: 'tag',
    project: 'search',
    weight: 2,
    inputTokens: 400,
    outputTokens: 40,
    cached: 0,
    durationMs: 1500,
    fromDay: 45,
  },
  {
    provider: 'mistral',
    modelName: 'our-own-finetune',
    operation: 'answer',
    project: 'search',
    weight: 1,
    inputTokens: 1800,
    outputTokens: 300,
    cached: 0,
    durationMs: 2600,
  },
]
const mostExpensive = models.find(({ operation }) => operation === 'summarise') as DemoModel
const people = ['ann', 'bob', 'carla', 'deniz', 'emeka', 'fatima', 'george', 'hana', 'ines', 'jonas', 'kim', 'lena']

/**
 * Logs 90 days of plausible calls that end at `now`: the same for the same time, priced like real ones. Resolves to their
 * number when they are written.
 */
export async function logDemoData(usage: UsageLogger, now = Date.now()): Promise<number> {
  let count = 0
  for (const entry of demoEntries(now)) {
    usage.log(entry)
    count += 1
    if (count % entriesPerTurn === 0) await usage.flush()
  }
  await usage.flush()
  return count
}

function* demoEntries(now: number): Generator<UsageEntry> {
  const random = createRandom()
  // Whole days, so that the loop is one day of a report at whatever hour the app is started.
  const firstDay = Math.floor(now / dayMs - days) * dayMs
  for (let day = 0; day <= days; day++) {
    const known = models.filter(({ fromDay = 0 }) => day >= fromDay)
    const usual = Array.from({ length: callsOn(firstDay + day * dayMs, day, random) }, () =>
      pickWeighted(known, random()),
    )
    const looped = Array<DemoModel>(day === loopDay ? loopCalls : 0).fill(mostExpensive)
    for (const model of [...usual, ...looped]) {
      // More in the middle of the day than at night.
      const timestamp = firstDay + (day + (random() + random() + random()) / 3) * dayMs
      const entry = demoEntry(model, timestamp, random)
      if (timestamp < now) yield entry
    }
  }
}

// Fewer at weekends, and more every week.
function callsOn(time: number, day: number, random: () => number): number {
  const isWeekend = [0, 6].includes(new Date(time).getUTCDay())
  const growth = 0.6 + (0.8 * day) / days
  return Math.round(callsOfADay * growth * (isWeekend ? 0.35 : 1) * (0.85 + 0.3 * random()))
}

function demoEntry(model: DemoModel, timestamp: number, random: () => number): UsageEntry {
  const { provider, modelName, operation, project, cached, durationMs } = model
  const spread = 0.3 + 1.4 * random()
  const inputTokens = Math.round(model.inputTokens * spread)
  const ending = random()
  const isFailed = ending < 0.015
  return {
    timestamp,
    provider,
    modelName,
    operation,
    project,
    userEmail: `${people[Math.floor(people.length * random() * random())]}@example.com`,
    inputTokens: isFailed ? 0 : inputTokens,
    outputTokens: isFailed ? 0 : Math.round(model.outputTokens * (0.3 + 1.4 * random()) * (ending < 0.04 ? 0.3 : 1)),
    cacheReadTokens: isFailed || cached === 0 ? undefined : Math.round(inputTokens * cached * (0.5 + 0.5 * random())),
    status: isFailed ? 'error' : ending < 0.04 ? 'aborted' : 'ok',
    usageSource: isFailed ? 'unknown' : ending < 0.04 ? 'estimated' : 'provider',
    durationMs: Math.round(durationMs * (0.4 + 1.6 * random() * random())),
    timeToFirstChunkMs: operation === 'classify' ? undefined : Math.round(250 + 900 * random() * random()),
  }
}

function pickWeighted(known: readonly DemoModel[], at: number): DemoModel {
  const all = known.flatMap((model) => Array<DemoModel>(model.weight).fill(model))
  return all[Math.floor(at * all.length)] as DemoModel
}

/** Mulberry32. */
function createRandom(): () => number {
  let state = seed
  return () => {
    state = (state + 0x6d2b79f5) >>> 0
    let mixed = Math.imul(state ^ (state >>> 15), state | 1)
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61)
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32
  }
}

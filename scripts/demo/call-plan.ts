import { createSeededRandom, type SeededRandom } from '../../test/support/seeded-random.js'
import type { Provider } from './models.js'

/** One call of a model that a user of the app brings about. */
export type PlannedCall = {
  /** The request's session and the first word of its prompt: links the stored row to what the provider counted. */
  readonly id: string
  readonly user: string
  readonly via: 'express' | 'trpc'
  readonly provider: Provider
  readonly kind: 'whole' | 'stream' | 'image'
  readonly model: string
  readonly prompt: string
  /** Who ends the stream in its middle. */
  readonly brokenOffBy?: 'user' | 'app'
}

type Share = Pick<PlannedCall, 'via' | 'provider' | 'kind' | 'brokenOffBy'> & { readonly count: number }

const users = ['ada', 'bruno', 'chloe', 'dmitri', 'emeka', 'fatima', 'grace', 'hiro'].map(
  (name) => `${name}@example.com`,
)
const models: Readonly<Record<Provider | 'image', readonly string[]>> = {
  openai: ['gpt-5', 'gpt-5-mini', 'gpt-4o'],
  anthropic: ['claude-opus-5-5', 'claude-haiku-5-5'],
  ollama: ['llama3.3', 'qwen3'],
  image: ['gpt-image-1', 'dall-e-3'],
}
const requests = ['sum up the minutes', 'translate the menu', 'name a cat', 'explain the invoice', 'plan a day']

const shares: readonly Share[] = [
  ...sharesOf('express'),
  ...sharesOf('trpc'),
  { via: 'express', provider: 'openai', kind: 'image', count: 16 },
]

/** 200 calls, in an order and with choices that are the same every time; only their ids, which begin with `prefix`, differ. */
export function planCalls(prefix: string): PlannedCall[] {
  const random = createSeededRandom(20_200)
  const calls = shares.flatMap(({ count, ...call }) => Array.from({ length: count }, () => call))
  return shuffle(calls, random).map((call, index) => {
    const id = `${prefix}${String(index + 1).padStart(3, '0')}`
    const model = random.pick(models[call.kind === 'image' ? 'image' : call.provider])
    return { ...call, id, model, user: random.pick(users), prompt: `${id}: ${random.pick(requests)}` }
  })
}

function sharesOf(via: 'express' | 'trpc'): Share[] {
  const perProvider = { openai: [28, 12], anthropic: [14, 7], ollama: [8, 5] } as const
  return (['openai', 'anthropic', 'ollama'] as const).flatMap((provider): Share[] => [
    { via, provider, kind: 'stream', count: perProvider[provider][0] },
    { via, provider, kind: 'whole', count: perProvider[provider][1] },
    { via, provider, kind: 'stream', brokenOffBy: 'user', count: 3 },
    { via, provider, kind: 'stream', brokenOffBy: 'app', count: 3 },
  ])
}

function shuffle<T>(items: readonly T[], random: SeededRandom): T[] {
  const rest = [...items]
  return items.flatMap(() => rest.splice(random.integer(0, rest.length - 1), 1))
}

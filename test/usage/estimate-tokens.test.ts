import { countTokens as countCl100k } from 'gpt-tokenizer/encoding/cl100k_base'
import { countTokens as countO200k } from 'gpt-tokenizer/encoding/o200k_base'
import { afterEach, expect, it, vi } from 'vitest'
import { estimateTokens, loadTokenizer } from '../../src/usage/estimate-tokens.js'

afterEach(() => {
  vi.doUnmock('gpt-tokenizer/encoding/o200k_base')
  vi.resetModules()
})

const texts = {
  English: 'Nobody had expected the ledger to balance, yet every call was counted once and the sum was right. ',
  German: 'Die Größe der Rechnung überraschte niemanden, denn jede Anfrage wurde genau einmal gezählt. ',
  French: "L'été dernier, nous avons compté chaque jeton une seule fois, et la facture était enfin juste. ",
  Russian: 'Каждый запрос записывается ровно один раз, и сумма за день всегда совпадает с числом строк. ',
  Arabic: 'يتم تسجيل كل استدعاء مرة واحدة بالضبط وتتطابق التكلفة مع الفاتورة. ',
  Hindi: 'हर कॉल ठीक एक बार दर्ज की जाती है और लागत बिल से मेल खाती है। ',
  Chinese: '每一次调用都只记录一行，费用与供应商的账单完全一致，没有人再需要手工核对。',
  Japanese: 'すべての呼び出しは一行だけ記録され、料金は請求書と正確に一致します。',
  Korean: '모든 호출은 정확히 한 줄로 기록되며 비용은 청구서와 일치합니다. ',
  code: 'export function sum(values: readonly number[]): number {\n  return values.reduce((a, b) => a + b, 0)\n}\n',
}

async function withoutTokenizer(): Promise<typeof estimateTokens> {
  vi.resetModules()
  vi.doMock('gpt-tokenizer/encoding/o200k_base', () => {
    throw new Error('Cannot find package')
  })
  const module = await import('../../src/usage/estimate-tokens.js')
  await module.loadTokenizer()
  return module.estimateTokens
}

it.each(Object.entries(texts))('counts %s as the tokenizer of the newest models does', async (_language, text) => {
  await loadTokenizer()

  expect(estimateTokens(text)).toBe(countO200k(text))
  expect(estimateTokens(text, 'claude-opus-5-5')).toBe(countO200k(text))
})

it.each([
  ['gpt-4', countCl100k],
  ['gpt-4-turbo-2024-04-09', countCl100k],
  ['openai/gpt-3.5-turbo', countCl100k],
  ['gpt-35-turbo', countCl100k],
  ['gpt-4o-mini', countO200k],
  ['gpt-4.1', countO200k],
  ['gpt-5', countO200k],
  ['o3', countO200k],
])('knows the encoding of %s', async (model, count) => {
  await Promise.all([loadTokenizer('cl100k_base'), loadTokenizer('o200k_base')])

  expect(countCl100k(texts.Chinese)).not.toBe(countO200k(texts.Chinese))
  expect(estimateTokens(texts.Chinese, model)).toBe(count(texts.Chinese))
})

it('counts what looks like a control token as text, and nothing as 0', async () => {
  await loadTokenizer()

  const text = 'and then <|endoftext|> was said'
  expect(estimateTokens(text)).toBe(countO200k(text, { disallowedSpecial: new Set() }))
  expect(estimateTokens(text)).not.toBe(text.length / 4)
  expect(estimateTokens('')).toBe(0)
})

it.each([
  ['words', texts.English, 0.01],
  ['a run without a break', 'a', 0.05],
  ['blanks', ' ', 0.2],
])('comes near the count of a long text of %s', async (_what, text, share) => {
  await loadTokenizer()
  const long = text.repeat(3000 / text.length)

  const expected = countO200k(long)

  expect(Math.abs(estimateTokens(long) - expected)).toBeLessThanOrEqual(Math.max(5, expected * share))
})

it('counts a text of megabytes in proportion to what stands at many places in it', async () => {
  await loadTokenizer()
  const thousandTimes = texts.English.repeat(100_000)

  const ratio = estimateTokens(thousandTimes) / (countO200k(texts.English) * 100_000)

  expect(ratio).toBeCloseTo(1, 1)
  const halves = estimateTokens(texts.English.repeat(5000) + texts.Chinese.repeat(5000))

  expect(halves / (5000 * (countO200k(texts.English) + countO200k(texts.Chinese)))).toBeCloseTo(1, 1)
  expect(estimateTokens('a'.repeat(10_000_000))).toBeGreaterThan(1_000_000)
})

it.each(Object.entries(texts))('comes within 30 % of that by length alone for %s', async (_language, text) => {
  const estimateByLength = await withoutTokenizer()

  const ratio = estimateByLength(text) / countO200k(text)

  expect(ratio).toBeGreaterThan(0.7)
  expect(ratio).toBeLessThan(1.3)
})

it('estimates by length until the tokenizer is loaded', async () => {
  vi.resetModules()
  const module = await import('../../src/usage/estimate-tokens.js')

  const before = module.estimateTokens(texts.Chinese)
  await module.loadTokenizer()

  expect(before).toBe(Math.ceil((texts.Chinese.length * 3) / 4))
  expect(module.estimateTokens(texts.Chinese)).toBe(countO200k(texts.Chinese))
})

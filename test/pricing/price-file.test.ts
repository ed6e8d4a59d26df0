import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { TokenLedgerError } from '../../src/errors.js'
import { toIsoTime, toUsdText } from '../../src/pricing/parse-price.js'
import { readPriceFile } from '../../src/pricing/price-file.js'

const header =
  'provider,model_pattern,service_tier,valid_from,valid_to,input_per_million,output_per_million,per_request'

function reasonsOf(text: string, format: 'csv' | 'json' = 'csv'): string[] {
  try {
    readPriceFile(text, format)
    return []
  } catch (error) {
    expect(error).toBeInstanceOf(TokenLedgerError)
    const [first, ...reasons] = (error as Error).message.split('\n')
    expect(first).toBe('Nothing was entered:')
    return reasons.map((reason) => reason.trim())
  }
}

describe('a file of prices', () => {
  it('is CSV, as spreadsheets write it too', () => {
    const text = `\ufeff${header}\r\nOpenAI, GPT-4o* ,,2026-01-01,,2.50,"10",0\r\n\r\n*,"a,b",batch,2026-01-01T08:00+02:00,2026-02-01,0,,0.005\r\n`

    expect(readPriceFile(text, 'csv')).toEqual({
      places: ['line 2', 'line 4'],
      prices: [
        {
          provider: 'openai',
          modelPattern: 'gpt-4o*',
          serviceTier: '*',
          validFrom: '2026-01-01T00:00:00.000000Z',
          validTo: null,
          usd: { input_per_million: '2.5', output_per_million: '10' },
        },
        {
          provider: '*',
          modelPattern: 'a,b',
          serviceTier: 'batch',
          validFrom: '2026-01-01T06:00:00.000000Z',
          validTo: '2026-02-01T00:00:00.000000Z',
          usd: { input_per_million: '0', per_request: '0.005' },
        },
      ],
    })
  })

  it('is JSON with numbers or texts', () => {
    const entry = {
      provider: 'a',
      model_pattern: 'm',
      valid_from: '2026-01-01',
      input_per_million: 1e-7,
      per_image: '0.04',
    }

    expect(readPriceFile(JSON.stringify([entry]), 'json')).toMatchObject({
      places: ['entry 1'],
      prices: [{ usd: { input_per_million: '0.0000001', per_image: '0.04' } }],
    })
  })

  it.each([
    ['openai,gpt,,2026-01-01,,-3,,', 'line 3: input_per_million is "-3"; it has to be US dollars'],
    ['openai,gpt,,2026-01-01,,1e3,,', 'line 3: input_per_million is "1e3"; it has to be US dollars'],
    ['openai,gpt,,2026-01-01,,NaN,,', 'line 3: input_per_million is "NaN"; it has to be US dollars'],
    ['openai,gpt,,2026-01-01,,"1,5",,', 'line 3: input_per_million is "1,5"; it has to be US dollars'],
    ['openai,gpt,,2026-01-01,,$2,,', 'line 3: input_per_million is "$2"; it has to be US dollars'],
    ['openai,gpt,,2026-01-01,,1000000.01,,', 'line 3: input_per_million is "1000000.01"; it has to be US dollars'],
    [
      'openai,gpt,,2026-01-01,,0.0000000000001,,',
      'line 3: input_per_million is "0.0000000000001"; it has to be US dollars',
    ],
    ['openai,gpt,,2026-02-30,,1,,', 'line 3: valid_from is "2026-02-30"; it has to be a day or a time'],
    ['openai,gpt,,1.2.2026,,1,,', 'line 3: valid_from is "1.2.2026"; it has to be a day or a time'],
    ['openai,gpt,,2026-01-01T25:00,,1,,', 'line 3: valid_from is "2026-01-01T25:00"; it has to be a day or a time'],
    ['openai,gpt,,,,1,,', 'line 3: valid_from is missing'],
    ['openai,gpt,,2026-02-01,2026-02-01,1,,', 'line 3: it has to end after it begins'],
    ['openai,gpt,,2026-02-01,,,,', 'line 3: it names no price; what is free has a price of 0'],
    ['openai,gpt,,2026-02-01,,,,0', 'line 3: it names no price; what is free has a price of 0'],
    ['openai,,,2026-02-01,,1,,', 'line 3: model_pattern is missing'],
    [`openai,${'m'.repeat(257)},,2026-02-01,,1,,`, 'line 3: model_pattern is "mmm'],
    ['openai,gpt,,2026-02-01,,1', 'line 3: Invalid Record Length'],
    ['openai,"gpt,,2026-02-01,,1,,', 'line 3: Quote Not Closed'],
  ])('is refused whole for %s', (line, reason) => {
    const [first, ...others] = reasonsOf(`${header}\nopenai,good,,2026-01-01,,1,2,\n${line}\n`)

    expect(first?.slice(0, reason.length)).toBe(reason)
    expect(others).toEqual([])
  })

  it('names every wrong line, up to twenty', () => {
    const lines = Array.from({ length: 25 }, (_, index) => `openai,m${index},,2026-01-01,,-1,,`)

    const reasons = reasonsOf([header, ...lines].join('\n'))

    expect(reasons).toHaveLength(21)
    expect(reasons[19]).toContain('line 21: ')
    expect(reasons[20]).toBe('and 5 more')
  })

  it.each([
    ['csv', '', 'there is no price in it'],
    ['csv', header, 'there is no price in it'],
    ['csv', 'provider,model_pattern,valid_from,input\na,m,2026-01-01,1', 'line 2: it has no use for "input"'],
    [
      'csv',
      'provider,provider,model_pattern,valid_from\na,b,m,2026-01-01',
      'line 1: it names a column twice: provider',
    ],
    ['json', '{', 'it is not JSON'],
    ['json', '{}', 'it has to be an array of objects'],
    ['json', '[]', 'there is no price in it'],
    ['json', '[3]', 'entry 1: it has to be an object'],
    [
      'json',
      '[{"provider":"a","model_pattern":["m"],"valid_from":"2026-01-01","input_per_million":true}]',
      'entry 1: model_pattern is ["m"]; it has to be a name',
    ],
  ] as const)('that is %s %j is refused', (format, text, reason) => {
    expect(reasonsOf(text, format)[0]?.slice(0, reason.length)).toBe(reason)
  })

  it('never takes anything else than a table of prices, and never fails otherwise', () => {
    const cell = fc.oneof(fc.string(), fc.double(), fc.constantFrom(null, '', '0', '2026-01-01', {}, []))
    const names = fc.constantFrom(...header.split(','))
    fc.assert(
      fc.property(fc.array(fc.dictionary(names, cell)), fc.constantFrom('csv', 'json'), (entries, format) => {
        const text = JSON.stringify(entries)
        const reasons = reasonsOf(format === 'json' ? text : `${header}\n${text}`, format)
        expect(reasons.every((reason) => /^(line|entry) \d+: |^there is no|^and \d+ more/.test(reason))).toBe(true)
      }),
    )
  })
})

describe('an amount', () => {
  it('is kept exactly, or refused', () => {
    fc.assert(
      fc.property(fc.bigInt({ min: 0n, max: 10n ** 18n }), (pico) => {
        const digits = pico.toString().padStart(13, '0')
        const text = `${digits.slice(0, -12)}.${digits.slice(-12)}`
        expect(toUsdText(text)).toBe(text.replace(/\.?0+$/, ''))
        expect(toUsdText(`${text}1`)).toBe(undefined)
      }),
    )
  })

  it.each([
    [0.1, '0.1'],
    [2.5, '2.5'],
    [0, '0'],
    [1e-12, '0.000000000001'],
    [1e-13, undefined],
    [0.1 + 0.2, undefined],
    [1e21, undefined],
    [-0.5, undefined],
    [Number.NaN, undefined],
    [true, undefined],
  ])('that is %s is %s', (value, text) => {
    expect(toUsdText(value)).toBe(text)
  })
})

describe('a time', () => {
  it.each([
    ['2026-03-01', '2026-03-01T00:00:00.000000Z'],
    ['2026-03-01T08:30', '2026-03-01T08:30:00.000000Z'],
    ['2026-03-01T08:30:15.123456Z', '2026-03-01T08:30:15.123456Z'],
    ['2026-03-01T00:30+01:00', '2026-02-28T23:30:00.000000Z'],
    ['2026-02-29', undefined],
    ['1999-12-31', undefined],
    ['2200-01-01', undefined],
    ['2026-03', undefined],
    ['now', undefined],
  ])('%s is %s, wherever the process runs', (text, time) => {
    expect(toIsoTime(text)).toBe(time)
  })
})

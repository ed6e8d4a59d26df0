import { describe, expect, it } from 'vitest'
import { renderRows } from '../../scripts/demo/reports.js'

describe('renderRows', () => {
  it('aligns counts right, with thousands apart, exact beyond the numbers of JavaScript', () => {
    const rows = [
      { model_name: 'gpt-5', usage_count: 7, total_input_tokens: '9007199254740993' },
      { model_name: 'qwen3', usage_count: 1200, total_input_tokens: 0 },
    ]

    expect(renderRows(rows).split('\n')).toEqual([
      '                              total',
      'model  usage                  input',
      'name   count                 tokens',
      '───────────────────────────────────',
      'gpt-5      7  9,007,199,254,740,993',
      'qwen3  1,200                      0',
    ])
  })

  it('ends after ten rows with how many more there are', () => {
    const rows = Array.from({ length: 1234 }, (_, index) => ({ user_email: `user-${index}` }))

    const lines = renderRows(rows).split('\n')

    expect(lines.at(-2)).toBe('user-9')
    expect(lines.at(-1)).toBe('... and 1,224 more rows')
  })

  it('shows what others wrote without obeying it', () => {
    const text = renderRows([{ user_email: `\u001b[2J${'x'.repeat(50)}`, first_request: new Date(0) }])

    expect(text).toContain(`?[2J${'x'.repeat(27)}…  1970-01-01 00:00`)
    expect(text).not.toContain('\u001b')
  })

  it('says so where there is nothing', () => {
    expect(renderRows([])).toBe('(no rows)')
  })
})

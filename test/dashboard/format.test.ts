import { describe, expect, it } from 'vitest'
import {
  formatChange,
  formatCount,
  formatGroup,
  formatMs,
  formatPeriod,
  formatShare,
  formatShortCount,
  formatTime,
  formatUsd,
} from '../../src/dashboard/format.js'

describe('formatUsd', () => {
  it.each([
    ['1234.567', '$1,234.57'],
    ['1', '$1.00'],
    ['0', '$0.00'],
    ['0.5', '$0.50'],
    ['0.0001234567', '$0.000123'],
    ['0.000000000001', '$0.000000000001'],
    [null, 'unpriced'],
  ])('shows %s as %s', (amount, text) => {
    expect(formatUsd(amount)).toBe(text)
  })
})

describe('other figures', () => {
  it('are unknown where nobody knows them, which is not zero', () => {
    expect([formatCount(null), formatShortCount(null), formatCount(0)]).toEqual(['unknown', 'unknown', '0'])
    expect([formatShare(null), formatChange(null), formatMs(null)]).toEqual(['-', undefined, '-'])
  })

  it('are as short as they can be read', () => {
    expect([formatCount(1234567), formatShortCount(1234567)]).toEqual(['1,234,567', '1.2M'])
    expect([850, 1000, 6_000_000].map(formatShortCount)).toEqual(['850', '1.0K', '6.0M'])
    expect([formatShare(0.1234), formatChange(0.1234), formatChange(-0.5), formatChange(0)]).toEqual([
      '12.3%',
      '+12%',
      '-50%',
      '0%',
    ])
    expect([formatShare(0), formatChange(848.51), formatMs(12_000)]).toEqual(['0.0%', 'over +900%', '12.0 s'])
    expect([formatMs(850.4), formatMs(12_340), formatMs(1_234_500)]).toEqual(['850 ms', '12.3 s', '1,234.5 s'])
  })

  it('are times of the zone that is asked for', () => {
    expect(formatTime('2026-03-01T23:30:05.123456Z', 'Asia/Kolkata')).toBe('2026-03-02 05:00:05')
    expect(formatPeriod('2026-03-01T23:00:00Z', 'America/New_York')).toBe('03-01 18:00')
    expect(formatPeriod('2026-03-01', 'America/New_York')).toBe('2026-03-01')
  })

  it('have names for calls that name nothing, and for all others', () => {
    expect([formatGroup(''), formatGroup(null), formatGroup('gpt-4o')]).toEqual(['(none)', 'all others', 'gpt-4o'])
  })
})

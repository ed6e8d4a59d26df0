/** Random numbers that are the same for the same seed. */
export type SeededRandom = {
  /** From `min` to `max`, both included. */
  readonly integer: (min: number, max: number) => number
  readonly pick: <T>(values: readonly T[]) => T
  /** Lower-case letters and digits. */
  readonly id: (length: number) => string
}

/** Mulberry32: good enough for test data, small enough to be read. */
export function createSeededRandom(seed: number): SeededRandom {
  let state = seed >>> 0
  const next = () => {
    state = (state + 0x6d2b79f5) >>> 0
    let mixed = Math.imul(state ^ (state >>> 15), state | 1)
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61)
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32
  }
  const integer = (min: number, max: number) => min + Math.floor(next() * (max - min + 1))
  return {
    integer,
    pick: (values) => values[integer(0, values.length - 1)] as (typeof values)[number],
    id: (length) => Array.from({ length }, () => integer(0, 35).toString(36)).join(''),
  }
}

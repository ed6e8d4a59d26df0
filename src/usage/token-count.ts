const maxTokens = 2_147_483_647

/** Whether a value is a count of tokens that a row takes: a whole number from 0 to 2,147,483,647. */
export function isTokenCount(value: unknown): value is number {
  return typeof value === 'number' && Number.isInteger(value) && value >= 0 && value <= maxTokens
}

// Unicode's White_Space, and what shows as nothing at all: people cannot tell such names apart.
const blanks = '[\\p{White_Space}\\u200B-\\u200D\\u2060\\uFEFF]+'
const blanksAround = new RegExp(`^${blanks}|${blanks}$`, 'gu')

/**
 * What all spellings of a user have in common: lower case, no blanks around. The same as `token_usage_user_key` of the
 * database.
 */
export function userKey(user: string): string {
  return toLowerCase(user.replace(blanksAround, ''))
}

/** The text in lower case, letter by letter, so that where a letter stands makes no difference. */
export function toLowerCase(text: string): string {
  return text.toLowerCase().replaceAll('ς', 'σ').replaceAll('i\u0307', 'i')
}

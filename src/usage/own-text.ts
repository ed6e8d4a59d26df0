/** The longest text that a row takes, in UTF-16 code units: a user. Other columns take less. */
export const longestText = 320

// V8 copies a slice that is shorter than this, and lets a longer one hold on to all of the text it was taken from.
const shortestSlice = 13

/** A copy of a text: what the text was cut out of (a URL, the body of a request) can be forgotten. */
export function ownText(text: string): string {
  return text.length < shortestSlice ? text : ` ${text}`.slice(1)
}

/** The start of a text; a copy of its own where there is more. */
export function boundedText(text: string): string {
  return text.length <= longestText ? text : ownText(text.slice(0, longestText))
}

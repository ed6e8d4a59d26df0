import { answerTooLong } from './answer-too-long.js'

/**
 * Hands on each object of a JSON array as soon as it is complete, without waiting for the array's end. A document that
 * is an object and no array is one object.
 */
export function createArrayFraming(onText: (text: string) => void, maxLength: number) {
  let text = ''
  let depth = 0
  let inString = false
  let escaped = false
  return {
    push(chunk: string) {
      let start = 0
      for (let index = 0; index < chunk.length; index++) {
        const character = chunk[index]
        if (inString) {
          if (character === '"' && !escaped) inString = false
          escaped = character === '\\' && !escaped
        } else if (character === '{') {
          if (depth === 0) start = index
          depth += 1
        } else if (character === '}' && depth > 0) {
          depth -= 1
          if (depth === 0) {
            onText(text + chunk.slice(start, index + 1))
            text = ''
          }
        } else if (character === '"' && depth > 0) {
          inString = true
        }
      }
      if (depth > 0) text += chunk.slice(start)
      if (text.length > maxLength) throw answerTooLong('part of an answer')
    },
    end() {},
  }
}

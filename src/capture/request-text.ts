import { isJsonObject } from '../extractors/json-object.js'

/** Where the formats keep what a model is to read. */
const textFields = [
  'messages',
  'input',
  'prompt',
  'message',
  'chat_history',
  'contents',
  'documents',
  'tools',
  'functions',
]
const instructionFields = ['system', 'instructions', 'preamble', 'systemInstruction', 'system_instruction']
/** Fields whose texts are names, addresses or encoded files. */
const otherFields = new Set(['type', 'role', 'id', 'url', 'image_url', 'file_data', 'data', 'images', 'signature'])
const longestWord = 1024
const deepest = 32

/** The text that a request gives a model to read, without images and other files; '' where none is found. */
export function textOfRequest(body: unknown): string {
  if (!isJsonObject(body)) return ''
  const texts: string[] = []
  for (const field of [...instructionFields, ...textFields]) collect(body[field], texts, deepest)
  return texts.join('\n')
}

function collect(value: unknown, texts: string[], depth: number): void {
  if (typeof value === 'string') {
    if (!isEncoded(value)) texts.push(value)
  } else if (typeof value === 'object' && value !== null && depth > 0) {
    for (const [name, part] of Object.entries(value)) if (!otherFields.has(name)) collect(part, texts, depth - 1)
  }
}

// A file in base64, be it in a data URL: no words, but one that has no end.
function isEncoded(text: string): boolean {
  return (
    text.length > longestWord &&
    !/\s/.test(text.slice(0, longestWord)) &&
    /^[\w+/=:;,.-]+$/.test(text.slice(0, longestWord))
  )
}

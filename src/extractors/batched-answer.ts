import { isJsonObject, type JsonObject } from './json-object.js'

/** The answer in a line of a batch's results, as OpenAI, Anthropic, xAI and Google write them; undefined for all else. */
export function findBatchedAnswer(line: unknown): JsonObject | undefined {
  if (!isJsonObject(line)) return undefined
  const response = objectIn(line, 'response')
  if ('custom_id' in line) return objectIn(response, 'body') ?? objectIn(objectIn(line, 'result'), 'message')
  if ('batch_request_id' in line) {
    return objectIn(objectIn(objectIn(line, 'batch_result'), 'response'), 'chat_get_completion')
  }
  return 'key' in line || 'request' in line ? response : undefined
}

function objectIn(holder: JsonObject | undefined, name: string): JsonObject | undefined {
  const value = holder?.[name]
  return isJsonObject(value) ? value : undefined
}

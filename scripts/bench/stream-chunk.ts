/** A chunk of a chat completion with the machine's time, in nanoseconds, at which it was made. */
export function createChunk(): object {
  return {
    id: 'chatcmpl-1',
    object: 'chat.completion.chunk',
    model: 'gpt-5',
    choices: [{ index: 0, delta: { content: ' token' }, finish_reason: null }],
    sent: process.hrtime.bigint().toString(),
  }
}

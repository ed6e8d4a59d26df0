import { expect, it } from 'vitest'
import { textOfRequest } from '../../src/capture/request-text.js'

const base64 = 'iVBORw0KGgo+/'.repeat(200)

it.each<[string, object, string]>([
  ['messages', { model: 'm', messages: [{ role: 'user', content: 'How many?' }] }, 'How many?'],
  [
    'the parts of a message, without its images and files',
    {
      messages: [
        {
          content: [
            { type: 'text', text: 'What is this?' },
            { type: 'image_url', image_url: { url: 'https://host.example/a.png' } },
            { type: 'image', source: { type: 'base64', data: base64 } },
            { type: 'input_image', image: `data:image/png;base64,${base64}` },
          ],
        },
      ],
    },
    'What is this?',
  ],
  [
    'instructions, tools and what they answered',
    {
      instructions: 'Be brief.',
      input: [{ type: 'function_call_output', output: '{"celsius":21}' }],
      tools: [{ type: 'function', name: 'weather', description: 'Tells the weather.' }],
    },
    'Be brief.\n{"celsius":21}\nweather\nTells the weather.',
  ],
  [
    'contents',
    { systemInstruction: { parts: [{ text: 'Be brief.' }] }, contents: [{ role: 'user', parts: [{ text: 'How?' }] }] },
    'Be brief.\nHow?',
  ],
  ['a prompt', { model: 'm', prompt: 'Once upon a time' }, 'Once upon a time'],
  ['nothing that is not for the model', { model: 'm', user: 'ann', metadata: { note: 'x' }, stop: ['END'] }, ''],
])('reads %s', (_what, body, text) => {
  expect(textOfRequest(body)).toBe(text)
})

it('reads a long text without a break that is no file', () => {
  const text = '每一次调用都只记录一行'.repeat(200)

  expect(textOfRequest({ messages: [{ content: text }] })).toBe(text)
})

it.each([null, 'text', [], 7])('finds nothing in %j', (body) => {
  expect(textOfRequest(body)).toBe('')
})

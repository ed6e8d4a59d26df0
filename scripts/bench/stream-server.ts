import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { text } from 'node:stream/consumers'
import { setTimeout as pause } from 'node:timers/promises'
import { createChunk } from './stream-chunk.js'

// A process of its own, so that its work does not delay the reader's.
const server = createServer(async (request, response) => {
  const { chunks } = JSON.parse(await text(request))
  response.writeHead(200, { 'content-type': 'text/event-stream' })
  for (let index = 0; index < chunks; index++) {
    response.write(`data: ${JSON.stringify(createChunk())}\n\n`)
    await pause(1)
  }
  const usage = { prompt_tokens: 8, completion_tokens: chunks, total_tokens: 8 + chunks }
  response.end(`data: ${JSON.stringify({ choices: [], usage })}\n\ndata: [DONE]\n\n`)
})
server.listen(0, '127.0.0.1', () => {
  const { port } = server.address() as AddressInfo
  process.send?.(`http://127.0.0.1:${port}/v1/chat/completions`)
})
process.on('disconnect', () => process.exit())

import { once } from 'node:events'
import { createServer, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import { setImmediate } from 'node:timers/promises'

/** What the server answers to the next request. */
export type Replay = {
  readonly body: Buffer
  readonly status: number
  readonly contentType: string
  /** How long each piece is that is written by itself; the last length goes on to the end. */
  readonly pieceLengths: readonly number[]
  /** Breaks the connection after the body, which leaves the answer without its end. */
  readonly breaksOff?: true
}

/** A server on a free port of 127.0.0.1 that answers with what is set as `next`, whatever it is asked. */
export async function startReplayServer() {
  const server = createServer((request, response) => {
    request.resume()
    request.on('end', () => void send(response, replayServer.next))
  })
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  const { port } = server.address() as AddressInfo
  const replayServer = {
    next: { body: Buffer.alloc(0), status: 200, contentType: 'text/plain', pieceLengths: [1_000] } as Replay,
    url: `http://127.0.0.1:${port}`,
    close() {
      server.closeAllConnections()
      server.close()
    },
  }
  return replayServer
}

export type ReplayServer = Awaited<ReturnType<typeof startReplayServer>>

// The network may join what is written at once, so each piece waits for a turn of the event loop.
async function send(response: ServerResponse, { body, status, contentType, pieceLengths, breaksOff }: Replay) {
  response.writeHead(status, { 'content-type': contentType })
  for (const piece of cutIntoPieces(body, pieceLengths)) {
    response.write(piece)
    await setImmediate()
  }
  if (breaksOff) response.destroy()
  else response.end()
}

/** The bytes in pieces of these lengths; the last length goes on to the end. */
export function cutIntoPieces(bytes: Uint8Array, lengths: readonly number[]): Uint8Array[] {
  const pieces: Uint8Array[] = []
  let start = 0
  while (start < bytes.length) {
    const length = lengths[Math.min(pieces.length, lengths.length - 1)] ?? bytes.length
    pieces.push(bytes.subarray(start, start + length))
    start += length
  }
  return pieces
}

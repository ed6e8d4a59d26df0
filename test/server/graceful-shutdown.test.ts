import { once } from 'node:events'
import { Agent, createServer, request, type Server, type ServerResponse } from 'node:http'
import { type AddressInfo, connect } from 'node:net'
import { afterEach, describe, expect, it } from 'vitest'
import { createShutdown, type ShutdownSteps } from '../../src/server/graceful-shutdown.js'

const silent = { info() {}, warn() {}, error() {} }
const agent = new Agent({ keepAlive: true })
let server: Server

afterEach(() => {
  agent.destroy()
  server.closeAllConnections()
})

describe('createShutdown', () => {
  it('finishes requests in flight, then closes the rest in order', async () => {
    const order: string[] = []
    const { shutdown, get, nextRequest } = await start({
      closers: [async () => order.push('logger'), async () => order.push('pool')],
    })
    const response = get()
    const inFlight = await nextRequest

    const ending = shutdown()
    await new Promise((resolve) => setImmediate(resolve))
    order.push('answer')
    inFlight.end('done')

    expect(await response).toBe('done')
    expect(await ending).toBe(true)
    expect(order).toEqual(['answer', 'logger', 'pool'])
  })

  it('accepts no more connections', async () => {
    const { shutdown, get } = await start()

    await shutdown()

    await expect(get()).rejects.toMatchObject({ code: 'ECONNREFUSED' })
  })

  it('is not held up by a connection that was kept alive after its answer', async () => {
    const { shutdown, get, nextRequest } = await start()
    server.keepAliveTimeout = 600_000
    const response = get()
    const inFlight = await nextRequest

    const ending = shutdown()
    inFlight.end('done')

    expect(await response).toBe('done')
    expect(await ending).toBe(true)
  })

  it('is not held up by a connection that never carried a request', async () => {
    const { shutdown } = await start()
    const accepted = once(server, 'connection')
    const idle = connect((server.address() as AddressInfo).port, '127.0.0.1')
    await accepted

    const isComplete = await shutdown()
    idle.destroy()

    expect(isComplete).toBe(true)
  })

  it('runs once, however often it is called', async () => {
    let closed = 0
    const { shutdown } = await start({ closers: [async () => closed++] })

    const results = await Promise.all([shutdown(), shutdown()])
    const late = await shutdown()

    expect([...results, late]).toEqual([true, true, true])
    expect(closed).toBe(1)
  })

  it('cuts off what does not end in time, and still closes the rest', async () => {
    let closed = 0
    const { shutdown, get, nextRequest } = await start({ timeoutMs: 100, closers: [async () => closed++] })
    const response = get().catch((error) => error)
    await nextRequest

    const isComplete = await shutdown()

    expect(isComplete).toBe(false)
    expect(closed).toBe(1)
    expect(await response).toMatchObject({ code: 'ECONNRESET' })
  })

  it('waits neither for a closer that hangs nor stops at one that fails', async () => {
    let closed = 0
    const never = () => new Promise(() => {})
    const failing = async () => Promise.reject(new Error('no'))
    const { shutdown } = await start({ timeoutMs: 100, closers: [failing, never, async () => closed++] })

    expect(await shutdown()).toBe(false)
    expect(closed).toBe(1)
  })
})

async function start(steps: Partial<ShutdownSteps> = {}) {
  server = createServer()
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  const { port } = server.address() as AddressInfo
  return {
    shutdown: createShutdown({ server, closers: [], logger: silent, ...steps }),
    nextRequest: once(server, 'request').then(([, response]) => response as ServerResponse),
    get: async () => {
      const [response] = await once(request({ port, host: '127.0.0.1', agent }).end(), 'response')
      let text = ''
      for await (const chunk of response) text += chunk
      return text
    },
  }
}

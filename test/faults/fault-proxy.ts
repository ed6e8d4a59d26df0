import { once, setMaxListeners } from 'node:events'
import { createConnection, createServer, type Server, type Socket } from 'node:net'
import { setImmediate as nextTurn, setTimeout as sleep } from 'node:timers/promises'

/** How bytes are carried. A change holds for what is on its way already. */
export type Passage =
  | { readonly does: 'pass' }
  /** A black hole: nothing arrives and nothing is closed. What is in it arrives when that ends. */
  | { readonly does: 'stall' }
  | { readonly does: 'delay'; readonly toServerMs: number; readonly toClientMs: number }
  | { readonly does: 'throttle'; readonly bytesPerSecond: number }
  /** One byte in each segment. */
  | { readonly does: 'split' }

type Sender = 'client' | 'server'

/** Where a connection breaks, once: at a text on the wire or after so many bytes, of what one side sends. */
export type Cut = {
  readonly of: Sender
  readonly at: { readonly text: string; readonly nth: number; readonly side: 'before' | 'after' } | number
  readonly how: 'end' | 'reset'
}

type Link = { readonly client: Socket; readonly server: Socket }

/** A TCP proxy before a database, which does what networks do to connections. */
export class FaultProxy {
  /** Asked for each new connection. */
  planCut: () => Cut | undefined = () => undefined
  /** Connections that were broken by `planCut`. */
  cuts = 0
  /** Connections that clients have opened so far. */
  connections = 0
  /** The most that clients had open at the same time. */
  mostOpen = 0
  readonly #links = new Set<Link>()
  readonly #target: { host: string; port: number }
  readonly #host: string
  #server: Server | undefined
  #port = 0
  #open = 0
  #passage: Passage = { does: 'pass' }
  #changed = createSignal()

  private constructor(target: { host: string; port: number }, host: string) {
    this.#target = target
    this.#host = host
  }

  /** A proxy that passes everything on to the server of this URL. */
  static async start(databaseUrl: string, host = '127.0.0.1'): Promise<FaultProxy> {
    const { hostname, port } = new URL(databaseUrl)
    const proxy = new FaultProxy({ host: hostname, port: Number(port || 5432) }, host)
    await proxy.accept()
    return proxy
  }

  /** The same database through the proxy. */
  through(databaseUrl: string): string {
    const url = new URL(databaseUrl)
    url.hostname = this.#host
    url.port = String(this.#port)
    return url.href
  }

  /** The server is on another port from now on. */
  moveTo(databaseUrl: string): void {
    this.#target.port = Number(new URL(databaseUrl).port)
  }

  set passage(passage: Passage) {
    this.#passage = passage
    this.#changed.abort()
    this.#changed = createSignal()
  }

  /** Accepts connections again. */
  async accept(): Promise<void> {
    this.#server = createServer((client) => void this.#link(client)).listen(this.#port, this.#host)
    await once(this.#server, 'listening')
    this.#port = (this.#server.address() as { port: number }).port
  }

  /** Breaks all connections and refuses new ones. */
  refuse(): void {
    this.#server?.close()
    this.breakAll()
  }

  breakAll(how: Cut['how'] = 'reset'): void {
    for (const link of this.#links) this.#break(link, how)
  }

  close(): void {
    this.refuse()
    this.passage = { does: 'pass' }
  }

  async #link(client: Socket): Promise<void> {
    this.connections += 1
    this.#open += 1
    this.mostOpen = Math.max(this.mostOpen, this.#open)
    client.setNoDelay(true).once('close', () => (this.#open -= 1))
    // An error is followed by the end of what can be read, and that is all there is to it.
    client.on('error', () => {})
    while (this.#passage.does === 'stall') await this.#wait(2 ** 31 - 1)
    const server = createConnection({ ...this.#target, noDelay: true }).on('error', () => {})
    const link = { client, server }
    const cut = this.planCut()
    this.#links.add(link)
    await Promise.allSettled([this.#carry(link, 'client', cut), this.#carry(link, 'server', cut)])
    this.#links.delete(link)
  }

  async #carry(link: Link, sender: Sender, cut: Cut | undefined): Promise<void> {
    const [from, to] = sender === 'client' ? [link.client, link.server] : [link.server, link.client]
    const findCut = cut?.of === sender ? createCutFinder(cut) : () => undefined
    try {
      for await (const chunk of from as AsyncIterable<Buffer>) {
        const end = findCut(chunk)
        await this.#pass(chunk.subarray(0, end), to, sender)
        if (end === undefined || cut === undefined) continue
        this.cuts += 1
        this.#break(link, cut.how)
      }
    } finally {
      while (this.#passage.does === 'stall') await this.#wait(2 ** 31 - 1)
      to.end()
    }
  }

  async #pass(bytes: Buffer, to: Socket, sender: Sender): Promise<void> {
    while (this.#passage.does === 'stall') await this.#wait(2 ** 31 - 1)
    const passage = this.#passage
    if (passage.does === 'delay') await this.#wait(sender === 'client' ? passage.toServerMs : passage.toClientMs)
    const size = passage.does === 'split' ? 1 : passage.does === 'throttle' ? passage.bytesPerSecond / 20 : bytes.length
    for (let start = 0; start < bytes.length; start += size) {
      if (!to.write(bytes.subarray(start, start + size))) await Promise.race([once(to, 'drain'), once(to, 'close')])
      if (passage.does === 'throttle') await this.#wait(50)
      else if (passage.does === 'split') await nextTurn()
    }
  }

  // A passage that changes ends every wait.
  #wait(ms: number): Promise<unknown> {
    return sleep(ms, undefined, { signal: this.#changed.signal }).catch(() => undefined)
  }

  #break({ client, server }: Link, how: Cut['how']): void {
    for (const socket of [client, server]) {
      if (how === 'reset') socket.resetAndDestroy()
      else socket.destroy()
    }
  }
}

/** Tells of each chunk how many of its bytes go through before the connection breaks; undefined where it does not. */
function createCutFinder({ at }: Cut): (chunk: Buffer) => number | undefined {
  let passed = 0
  let seen = 0
  let before = ''
  if (typeof at === 'number') {
    return ({ length }) => {
      passed += length
      return passed >= at ? length - (passed - at) : undefined
    }
  }
  return (chunk) => {
    const text = before + chunk.toString('latin1')
    const skipped = before.length
    before = text.slice(1 - at.text.length)
    for (let found = text.indexOf(at.text); found >= 0; found = text.indexOf(at.text, found + 1)) {
      seen += 1
      if (seen === at.nth) return at.side === 'after' ? chunk.length : Math.max(0, found - skipped)
    }
    return undefined
  }
}

function createSignal(): AbortController {
  const controller = new AbortController()
  setMaxListeners(0, controller.signal)
  return controller
}

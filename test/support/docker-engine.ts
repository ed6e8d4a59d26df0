import { request } from 'node:http'
import { homedir } from 'node:os'
import { join } from 'node:path'

const TIMEOUT_MS = 1000

/** The address of a Docker engine that answers within a second: `DOCKER_HOST`, else a socket at one of the usual places. */
export async function findDockerEngine(): Promise<string | undefined> {
  const { DOCKER_HOST, XDG_RUNTIME_DIR } = process.env
  const sockets = ['/var/run/docker.sock', join(homedir(), '.docker/run/docker.sock')]
  if (XDG_RUNTIME_DIR) sockets.push(join(XDG_RUNTIME_DIR, 'docker.sock'))
  const addresses = DOCKER_HOST ? [DOCKER_HOST] : sockets.map((path) => `unix://${path}`)
  for (const address of addresses) {
    if (await answersPing(address)) return address
  }
  return undefined
}

/** Any answer will do: an engine that wants TLS complains about plain HTTP, and is there. */
function answersPing(address: string): Promise<boolean> {
  // Docker itself takes a DOCKER_HOST without a scheme, Testcontainers does not.
  if (!URL.canParse(address)) return Promise.resolve(false)
  const { protocol, hostname, port, pathname } = new URL(address)
  if (!['unix:', 'tcp:', 'http:'].includes(protocol)) return Promise.resolve(false)
  const target = protocol === 'unix:' ? { socketPath: pathname } : { hostname, port: port || 2375 }
  return new Promise((resolve) => {
    const ping = request({ ...target, path: '/_ping', timeout: TIMEOUT_MS }, (response) => {
      response.resume()
      resolve(true)
    })
    ping.on('timeout', () => ping.destroy())
    ping.on('error', () => resolve(false))
    ping.end()
  })
}

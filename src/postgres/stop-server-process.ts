import { setTimeout as sleep } from 'node:timers/promises'
import { isRunning, type ProcessIdentity } from '../recording/process-identity.js'

const POLL_MS = 10
const FAST_SHUTDOWN_MS = 15_000
const IMMEDIATE_SHUTDOWN_MS = 10_000

/** Shuts a PostgreSQL server down and waits for its end: fast first, immediately after 15 s. Other processes are safe from it. */
export async function stopServerProcess(server: ProcessIdentity): Promise<void> {
  if (await signalAndWait(server, 'SIGINT', FAST_SHUTDOWN_MS)) return
  if (await signalAndWait(server, 'SIGQUIT', IMMEDIATE_SHUTDOWN_MS)) return
  throw new Error(`the PostgreSQL server with pid ${server.pid} does not stop`)
}

async function signalAndWait(server: ProcessIdentity, signal: NodeJS.Signals, timeoutMs: number): Promise<boolean> {
  const deadline = Date.now() + timeoutMs
  if (isRunning(server)) sendSignal(server.pid, signal)
  while (isRunning(server)) {
    if (Date.now() > deadline) return false
    await sleep(POLL_MS)
  }
  return true
}

function sendSignal(pid: number, signal: NodeJS.Signals): void {
  try {
    process.kill(pid, signal)
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'ESRCH') throw error
  }
}

import { setTimeout as delay } from 'node:timers/promises'
import type pg from 'pg'
import { TokenLedgerError } from '../errors.js'
import { describeLockHolders } from './lock-holders.js'
import { isLockConflict } from './migration-error.js'

const lockAttempts = 4
const pauseMs = 1000

// At a stricter level the first statement would fix what is seen before the lock is there.
const beginLocked = `begin isolation level read committed read write;
  set local statement_timeout = 0; set local lock_timeout = 2000; set local time zone 'UTC';
  lock table token_usage_logs, token_usage_dead_letters in share row exclusive mode;
  set local lock_timeout = 0`

/** Runs `work` between `begin` (a statement that begins, and sets what it needs) and commit, on one connection. */
export async function inTransaction<T>(
  pool: pg.Pool,
  begin: string,
  work: (client: pg.PoolClient) => Promise<T>,
): Promise<T> {
  const client = await pool.connect()
  const ignoreLoss = () => {} // The query that waits is rejected as well.
  client.on('error', ignoreLoss)
  try {
    await client.query(begin)
    const result = await work(client)
    await client.query('commit')
    client.off('error', ignoreLoss)
    client.release()
    return result
  } catch (error) {
    // The transaction is still open, and the connection may be dead.
    client.release(true)
    throw error
  }
}

/**
 * The same, after every write of usage that had begun has ended, and before any other begins; readers do not wait. Tables
 * that cannot be locked are tried again a few times; then it throws, and nothing was changed.
 */
export async function whileWritersWait<T>(pool: pg.Pool, work: (client: pg.PoolClient) => Promise<T>): Promise<T> {
  for (let attempt = 1; ; attempt += 1) {
    try {
      return await inTransaction(pool, beginLocked, work)
    } catch (error) {
      if (!isLockConflict(error)) throw error
      if (attempt === lockAttempts) {
        throw new TokenLedgerError(
          'TOKENLEDGER_LOCKED',
          `The usage tables stay locked, by ${await describeLockHolders(pool)}. Nothing was changed: try again when they are free.`,
        )
      }
      await delay(pauseMs)
    }
  }
}

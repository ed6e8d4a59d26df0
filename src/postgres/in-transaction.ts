import type pg from 'pg'

/**
 * Runs `work` between `begin`, a statement that may set what the transaction needs, and a commit. When anything fails the
 * connection is given up, and with it whatever was done.
 */
export async function inTransaction<T>(
  pool: pg.Pool,
  begin: string,
  work: (client: pg.PoolClient) => Promise<T>,
): Promise<T> {
  const client = await pool.connect()
  try {
    await client.query(begin)
    const result = await work(client)
    await client.query('commit')
    client.release()
    return result
  } catch (error) {
    // The transaction is still open, and the connection may be dead.
    client.release(true)
    throw error
  }
}

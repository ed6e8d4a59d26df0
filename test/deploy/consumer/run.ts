import assert from 'node:assert/strict'
import { once } from 'node:events'
import type { AddressInfo } from 'node:net'
import express from 'express'
import { createUsageLogger, createUsageReports, estimateTokens, type UsageEntry } from 'tokenledger'
import { usageDashboard } from 'tokenledger/dashboard'

// The package at work in a project that has installed it: a row is written and read, and the page comes along.

// The types of pg are not installed: who has no pool needs none.
const { default: pg } = await import('pg' as string)
const pool = new pg.Pool({ connectionString: process.env.DATABASE_URL })
const usage = createUsageLogger({ enabled: true, pool })
const entry: UsageEntry = { modelName: 'a-model', inputTokens: estimateTokens('Hm?'), outputTokens: 1 }
usage.run({ user: 'ann@example.com' }, () => usage.log(entry))
await usage.flush()

const reports = createUsageReports({ pool })
const { groups } = await reports.getUsageBy('user')
assert.deepEqual(
  groups.map(({ group, requests }) => [group, requests]),
  [['ann@example.com', 1]],
)

const server = express().use('/usage', usageDashboard(usage)).listen(0)
await once(server, 'listening')
const page = await fetch(`http://127.0.0.1:${(server.address() as AddressInfo).port}/usage/`)
assert.deepEqual([page.status, page.headers.get('content-type')], [200, 'text/html; charset=utf-8'])

server.closeAllConnections()
server.close()
await usage.close()
await pool.end()

import type { RequestHandler } from 'express'
import type { UsageLogger } from '../create-usage-logger.js'

/** `GET /metrics` of the logger in Prometheus' text format. 501, with what to do, where prom-client is not installed. */
export function createMetricsHandler(usage: UsageLogger): RequestHandler {
  const registry = openRegistry(usage)
  return async (_request, response) => {
    const found = await registry
    if (found) response.type(found.contentType).send(await found.metrics())
    else response.status(501).json({ error: 'metrics need the package prom-client: npm install prom-client' })
  }
}

async function openRegistry(usage: UsageLogger) {
  const client = await import('prom-client').catch(() => undefined)
  if (client === undefined) return undefined
  const registry = new client.Registry()
  usage.metrics(registry)
  return registry
}

import type { TestProject } from 'vitest/node'
import { startTestServer } from './test-server.js'

declare module 'vitest' {
  interface ProvidedContext {
    /** Of the server all tests of this run share; its user may create databases. */
    testServerUrl: string
    /** Prefix of the names of all databases of this run. */
    testDatabasePrefix: string
  }
}

/** Gives the run one PostgreSQL with a migrated template database; the returned function removes all of it. */
export default async function setUp(project: TestProject): Promise<() => Promise<void>> {
  const server = await startTestServer()
  console.log(`Tests use ${server.description}`)
  project.provide('testServerUrl', server.url)
  project.provide('testDatabasePrefix', server.prefix)
  return server.stop
}

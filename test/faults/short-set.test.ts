import { inject, it } from 'vitest'
import { allCases } from './all-cases.js'
import { runCase } from './run-case.js'

const seed = Number(process.env.FAULT_SEED ?? Date.now() % 1_000_000)
const server = { url: inject('testServerUrl'), prefix: inject('testDatabasePrefix') }
const shortCases = allCases.filter(({ isShort }) => isShort)

it.for(shortCases)('$id: $title', { timeout: 180_000 }, async (faultCase, context) => {
  const missing = faultCase.missing?.()
  if (missing) context.skip(missing)
  const result = await runCase(faultCase, { scale: 'short', seed, server, log: () => {} })

  console.log(`${faultCase.id}, seed ${seed}: ${JSON.stringify(result)}`)
})

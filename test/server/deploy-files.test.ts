import { existsSync, readFileSync } from 'node:fs'
import { describe, expect, it } from 'vitest'
import { parse } from 'yaml'
import { readConfig, readServerConfig } from '../../src/config.js'

const read = (path: string) => readFileSync(new URL(`../../${path}`, import.meta.url), 'utf8')
const exists = (path: string) => existsSync(new URL(`../../${path}`, import.meta.url))

describe('the deploy files', () => {
  it('start what the build makes', () => {
    const { rootDir, outDir } = JSON.parse(read('tsconfig.build.json')).compilerOptions
    const processes = readProcfile()

    const sources = Object.values<string>(processes).map((command) => {
      const [, output] = /^node (\S+\.js)/.exec(command) ?? []
      return output?.replace(`${outDir}/`, `${rootDir}/`).replace(/\.js$/, '.ts')
    })

    expect(processes).toEqual({ release: 'node dist/cli/main.js migrate', web: 'node dist/server/main.js' })
    expect(sources.map((source) => source !== undefined && exists(source))).toEqual([true, true])
  })

  it('name every variable as the settings do', () => {
    const known = variablesRead()
    const inAppJson = Object.keys(JSON.parse(read('app.json')).env)
    const inExample = [...read('.env.example').matchAll(/^#?([A-Z_]+)=/gm)].map(([, name]) => name)

    expect(inAppJson.filter((name) => !known.has(name))).toEqual([])
    expect(inExample.filter((name) => !known.has(name ?? ''))).toEqual([])
    expect(inExample).toEqual(expect.arrayContaining([...known].filter((name) => name.startsWith('TOKEN'))))
  })

  it('give values that the settings take without a complaint', () => {
    const { env } = JSON.parse(read('app.json')) as { env: Record<string, { value?: string }> }
    const environment = Object.fromEntries(Object.entries(env).map(([name, { value }]) => [name, value]))

    const config = readConfig({}, environment)

    expect(config).toMatchObject({ enabled: true, problems: [] })
    expect(env.TOKENLEDGER_ADMIN_TOKEN).toMatchObject({ generator: 'secret' })
  })
})

describe('render.yaml', () => {
  const { services, databases } = parse(read('render.yaml'))
  const [service] = services as [Record<string, unknown> & { envVars: { key: string }[] }]

  it('runs what the Procfile runs', () => {
    const { release, web } = readProcfile()

    expect(service).toMatchObject({ type: 'web', runtime: 'node', preDeployCommand: release, startCommand: web })
    expect(service.healthCheckPath).toBe('/')
    expect(service.buildCommand).toBe('npm ci --include=dev && npm run build && npm prune --omit=dev')
  })

  // https://render.com/docs/blueprint-spec
  it('has no field that its specification does not name', () => {
    const ofService = ['type', 'name', 'runtime', 'buildCommand', 'preDeployCommand', 'startCommand', 'healthCheckPath']

    expect(Object.keys(parse(read('render.yaml')))).toEqual(['services', 'databases'])
    expect(Object.keys(service)).toEqual([...ofService, 'envVars'])
    expect(databases).toEqual([{ name: 'tokenledger-db', ipAllowList: [] }])
  })

  it('sets the database, a token, and a version of Node that the package takes', () => {
    const fromDatabase = { name: databases[0].name, property: 'connectionString' }
    const [, least] = /^>=(\d+)/.exec(JSON.parse(read('package.json')).engines.node) ?? []
    const [node, ...settings] = service.envVars as [{ key: string; value?: string }, ...{ key: string }[]]

    expect(node).toEqual({ key: 'NODE_VERSION', value: expect.stringMatching(/^\d+$/) })
    expect(Number(node.value)).toBeGreaterThanOrEqual(Number(least))
    expect(settings).toEqual([
      { key: 'DATABASE_URL', fromDatabase },
      { key: 'TOKENLEDGER_ADMIN_TOKEN', generateValue: true },
    ])
  })
})

function readProcfile(): Record<string, string> {
  const lines = read('Procfile').trim().split('\n')
  return Object.fromEntries(lines.map((line) => line.split(': ')))
}

function variablesRead(): Set<string> {
  const names = new Set<string>()
  const environment = new Proxy<Record<string, string | undefined>>(
    {},
    { get: (_, name) => void names.add(String(name)) },
  )
  readConfig({}, environment)
  readServerConfig(environment)
  return names
}

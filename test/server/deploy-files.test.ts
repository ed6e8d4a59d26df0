import { existsSync, readFileSync } from 'node:fs'
import { describe, expect, it } from 'vitest'
import { readConfig, readServerConfig } from '../../src/config.js'

const read = (path: string) => readFileSync(new URL(`../../${path}`, import.meta.url), 'utf8')
const exists = (path: string) => existsSync(new URL(`../../${path}`, import.meta.url))

describe('the deploy files', () => {
  it('start what the build makes', () => {
    const { rootDir, outDir } = JSON.parse(read('tsconfig.build.json')).compilerOptions
    const processes = Object.fromEntries(
      read('Procfile')
        .trim()
        .split('\n')
        .map((line) => line.split(': ')),
    )

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

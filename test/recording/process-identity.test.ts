import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { createInterface } from 'node:readline'
import { expect, it, onTestFinished } from 'vitest'
import { findProcess, isRunning, readCommandLine } from '../../src/recording/process-identity.js'

it('tells a running process from an earlier one with the same pid', () => {
  const self = findProcess(process.pid)

  expect(self && isRunning(self)).toBe(true)
  expect(isRunning({ pid: process.pid, startedAt: '1' })).toBe(false)
})

it('finds no process where one has ended', async () => {
  const child = spawn('/bin/sleep', ['60'])
  const identity = findProcess(child.pid ?? Number.NaN)
  child.kill('SIGKILL')
  await once(child, 'exit')

  expect(identity && isRunning(identity)).toBe(false)
})

it('takes a zombie that nobody reaps for ended', async () => {
  const parent = spawn('/bin/sh', ['-c', 'sleep 60 & echo $!; exec sleep 61'], { stdio: ['ignore', 'pipe', 'ignore'] })
  onTestFinished(() => void parent.kill('SIGKILL'))
  const [line] = await once(createInterface(parent.stdout), 'line')
  const zombie = Number(line)
  // Until then it is a shell, which reaps its children.
  await expect.poll(() => readCommandLine(parent.pid ?? Number.NaN)).toContain('sleep 61 ')
  process.kill(zombie, 'SIGKILL')

  await expect.poll(() => findProcess(zombie)).toBeUndefined()

  expect(process.kill(zombie, 0)).toBe(true)
})

const maxBytes = 8192
const maxDepth = 8
const maxKeys = 64
const maxKeyLength = 256
const bytesOfNumber = 24
const bytesOfItem = 5
const forbiddenKeys = new Set(['__proto__', 'constructor', 'prototype'])

type Budget = { left: number; cut: boolean }

/**
 * JSON text of an application's object that PostgreSQL's jsonb accepts, or null for anything but an object. At most 8 KB,
 * 64 keys an object and 8 levels: what exceeds that, what JSON has no form for, and an object of which nothing can be read,
 * is left out, and `"truncated": true` added. Never throws.
 */
export function toJsonText(value: unknown): string | null {
  try {
    if (typeof value !== 'object' || value === null || Array.isArray(value)) return null
    const budget = { left: maxBytes - 64, cut: false }
    const copy = copyObject(value, maxDepth, budget)
    return JSON.stringify(budget.cut ? { ...copy, truncated: true } : copy)
  } catch {
    return '{"truncated":true}'
  }
}

function copyValue(value: unknown, depth: number, budget: Budget): unknown {
  if (typeof value === 'string') return copyText(value, budget)
  if (typeof value === 'number' || typeof value === 'boolean' || value === null) {
    budget.left -= bytesOfNumber
    return typeof value === 'number' && !Number.isFinite(value) ? null : value
  }
  if (value === undefined) return undefined
  // To write down a number of a million digits takes seconds.
  if (typeof value === 'bigint')
    return BigInt.asIntN(64, value) === value ? copyText(String(value), budget) : cut(budget)
  // The names of a buffer's elements alone take many times the memory of the buffer.
  if (typeof value !== 'object' || depth === 0 || ArrayBuffer.isView(value)) return cut(budget)
  if (value instanceof Date) return copyText(Number.isNaN(value.getTime()) ? '' : value.toISOString(), budget)
  return Array.isArray(value) ? copyArray(value, depth - 1, budget) : copyObject(value, depth - 1, budget)
}

function copyObject(value: object, depth: number, budget: Budget): Record<string, unknown> {
  const copy: Record<string, unknown> = {}
  let keys = 0
  budget.left -= 4
  for (const key of Object.keys(value)) {
    if (forbiddenKeys.has(key)) continue
    if (++keys > maxKeys || budget.left <= 0) {
      budget.cut = true
      break
    }
    if (key.length > maxKeyLength) {
      budget.cut = true
      continue
    }
    const name = copyText(key, budget)
    const copied = copyValue((value as Record<string, unknown>)[key], depth, budget)
    if (copied !== undefined) copy[name] = copied
  }
  return copy
}

function copyArray(value: readonly unknown[], depth: number, budget: Budget): unknown[] {
  const copy: unknown[] = []
  budget.left -= 4
  for (let index = 0; index < value.length; index++) {
    if (budget.left <= 0) {
      budget.cut = true
      break
    }
    budget.left -= bytesOfItem
    copy.push(copyValue(value[index], depth, budget) ?? null)
  }
  return copy
}

function copyText(value: string, budget: Budget): string {
  const room = Math.max(0, budget.left)
  const text = value.length > room ? value.slice(0, room) : value
  if (text.length < value.length) budget.cut = true
  const clean = text.toWellFormed().replaceAll('\0', '\ufffd')
  const bytes = Buffer.byteLength(JSON.stringify(clean)) + 4
  budget.left -= bytes
  if (bytes <= room) return clean
  budget.cut = true
  return clean.slice(0, Math.floor((clean.length * room) / bytes / 2))
}

function cut(budget: Budget): undefined {
  budget.cut = true
}

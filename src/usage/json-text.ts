const maxBytes = 8192
const maxDepth = 8
const maxKeys = 64
const forbiddenKeys = new Set(['__proto__', 'constructor', 'prototype'])

type Budget = { left: number; cut: boolean }

/**
 * JSON text of an application's object that PostgreSQL's jsonb accepts, or null for anything but an object. At most 8 KB,
 * 64 keys an object and 8 levels: what exceeds that, and what JSON has no form for, is left out, and `"truncated": true` added.
 * May throw where the object's own getters throw.
 */
export function toJsonText(value: unknown): string | null {
  if (typeof value !== 'object' || value === null || Array.isArray(value)) return null
  const budget = { left: maxBytes - 64, cut: false }
  const copy = copyObject(value, maxDepth, budget)
  return JSON.stringify(budget.cut ? { ...copy, truncated: true } : copy)
}

function copyValue(value: unknown, depth: number, budget: Budget): unknown {
  if (typeof value === 'string') return copyText(value, budget)
  if (typeof value === 'bigint') return copyText(value.toString(), budget)
  if (typeof value === 'number' || typeof value === 'boolean' || value === null) {
    budget.left -= 24
    return typeof value === 'number' && !Number.isFinite(value) ? null : value
  }
  if (value === undefined) return undefined
  if (typeof value !== 'object' || depth === 0) return cut(budget)
  if (value instanceof Date) return copyText(Number.isNaN(value.getTime()) ? '' : value.toISOString(), budget)
  return Array.isArray(value) ? copyArray(value, depth - 1, budget) : copyObject(value, depth - 1, budget)
}

function copyObject(value: object, depth: number, budget: Budget): Record<string, unknown> {
  const copy: Record<string, unknown> = {}
  let keys = 0
  budget.left -= 4
  for (const key in value) {
    if (!Object.hasOwn(value, key) || forbiddenKeys.has(key)) continue
    if (++keys > maxKeys || budget.left <= 0 || key.length > 256) {
      budget.cut = true
      break
    }
    const copied = copyValue((value as Record<string, unknown>)[key], depth, budget)
    if (copied !== undefined) copy[copyText(key, budget)] = copied
  }
  return copy
}

function copyArray(value: readonly unknown[], depth: number, budget: Budget): unknown[] {
  const copy: unknown[] = []
  budget.left -= 4
  for (const item of value) {
    if (budget.left <= 0) {
      budget.cut = true
      break
    }
    copy.push(copyValue(item, depth, budget) ?? null)
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

/** SQL that writes a `timestamptz` as ISO 8601 in UTC with its microseconds, whatever the session's settings are. */
export function isoTime(column: string): string {
  return `to_char(${column} at time zone 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.US"Z"')`
}

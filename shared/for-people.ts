// Spans and moments of time as plans, messages and tables say them.

/** "412 ms", "39.6 s", "60 s". */
export function timeSpan(millis: number | bigint): string {
  const value = Number(millis);
  return value < 1000 ? `${Math.round(value)} ms` : `${Number((value / 1000).toFixed(1))} s`;
}

/** "2026-11-28 02:26 UTC". at: a date, or milliseconds since 1970. */
export function moment(at: Date | number): string {
  return `${new Date(at).toISOString().slice(0, 16).replace('T', ' ')} UTC`;
}

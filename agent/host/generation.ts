// When a reload of a web server is in force, told by the processes that accept connections before it and now. Pure.

/** True when none of the processes before the reload accepts and at least one new one does. */
export function isNewGeneration(before: readonly number[], now: readonly number[]): boolean {
  return now.length > 0 && now.every((pid) => !before.includes(pid));
}

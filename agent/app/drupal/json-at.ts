// Looks one value up in JSON that others wrote: what is no JSON, or has no such place, has no value.

export function jsonAt(text: string | undefined, path: readonly string[]): unknown {
  let value: unknown;
  try {
    value = JSON.parse(text ?? 'null');
  } catch {
    // Not ours to judge: the file may be anything.
    return undefined;
  }
  for (const key of path) {
    if (typeof value !== 'object' || value === null || !Object.hasOwn(value, key)) return undefined;
    value = (value as Record<string, unknown>)[key];
  }
  return value;
}

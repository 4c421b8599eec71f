// Reads values out of line-based configuration files of other programs, as far as an inventory needs them.
import type { Host } from '../host/host.ts';

/** The first group of form (with flags gm) for each hit in the files, in order. Files that are not there say nothing. */
export async function settings(host: Host, paths: readonly string[], form: RegExp): Promise<readonly string[]> {
  const values: string[] = [];
  for (const path of paths) {
    const text = (await host.files.read(path)) ?? '';
    for (const match of text.matchAll(form)) if (match[1] !== undefined) values.push(match[1]);
  }
  return values;
}

/** Those that are ports, without repeats, sorted; the fallback when there are none. */
export function ports(values: readonly string[], fallback: number): number[] {
  const numbers = values.map(Number).filter((port) => Number.isInteger(port) && port > 0 && port < 65_536);
  return numbers.length === 0 ? [fallback] : [...new Set(numbers)].sort((a, b) => a - b);
}

/** The configuration directories that are there. */
export async function existing(host: Host, paths: readonly string[]): Promise<string[]> {
  const there: string[] = [];
  for (const path of paths) if (await host.files.exists(path)) there.push(path);
  return there;
}

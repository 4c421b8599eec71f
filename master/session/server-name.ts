// The name a joining server gets: what it asked for, made fit and unique.
import { isId } from '../../shared/id.ts';

const MAX = 63;
const ROOM_FOR_NUMBER = 7;

/** Letters, digits, ".", "_" and "-" as plainName of shared/name.ts wants them; never one that reads as an id. */
export function fitServerName(wished: string): string {
  const fit = wished
    .slice(0, 1000)
    .toLowerCase()
    .replace(/[^a-z0-9._-]+/g, '-')
    .replace(/^[^a-z0-9]+/, '')
    .slice(0, MAX)
    .replace(/[^a-z0-9]+$/, '');
  if (fit === '') return 'server';
  return isId('srv', fit) ? `host-${fit}` : fit;
}

/** web1, or web1-2, web1-3 … when others have it. */
export function uniqueServerName(wished: string, taken: ReadonlySet<string>): string {
  const fit = fitServerName(wished);
  if (!taken.has(fit)) return fit;
  const stem = fit.slice(0, MAX - ROOM_FOR_NUMBER);
  for (let number = 2; ; number++) {
    const name = `${stem}-${number}`;
    if (!taken.has(name)) return name;
  }
}

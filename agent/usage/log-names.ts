// The names of a site's logs: the one that is written, those that were put aside, and those that were packed. Pure.

export const LOGS = ['access.log', 'error.log', 'php.log'] as const;
export type LogName = (typeof LOGS)[number];

const ASIDE = /^(access|error|php)\.log\.(\d{8}T\d{6}Z)(\.gz)?$/;

export interface Aside {
  readonly log: LogName;
  /** When it was put aside, ms since 1970. */
  readonly at: number;
  readonly packed: boolean;
}

/** access.log put aside is access.log.20261123T000312Z: names order as times do, and none is ever given twice. */
export function asideName(log: LogName, at: number): string {
  return `${log}.${new Date(at).toISOString().slice(0, 19).replace(/[-:]/g, '')}Z`;
}

/** undefined when the name is none of ours. */
export function parseAside(name: string): Aside | undefined {
  const [, log, stamp = '', packed] = ASIDE.exec(name) ?? [];
  if (log === undefined) return undefined;
  const at = Date.parse(stamp.replace(/^(....)(..)(..)T(..)(..)(..)Z$/, '$1-$2-$3T$4:$5:$6Z'));
  return Number.isNaN(at) ? undefined : { log: `${log}.log` as LogName, at, packed: packed !== undefined };
}

/** Those that requests are counted from, oldest first. */
export function accessLogs(names: readonly string[]): readonly string[] {
  const aside = names.filter((name) => {
    const found = parseAside(name);
    return found?.log === 'access.log' && !found.packed;
  });
  return [...aside.sort(), ...(names.includes('access.log') ? ['access.log'] : [])];
}

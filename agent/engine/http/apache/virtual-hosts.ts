// Reads which virtual hosts Apache has (`apache2 -S`) and finds names that two of them claim: Apache says nothing and
// takes the first one. Pure.
import { basename, dirname } from 'node:path';
import { OUR_FILE } from '../config/complaint.ts';

export interface DumpedHost {
  readonly port: string;
  readonly file: string;
  readonly line: string;
  readonly names: readonly string[];
  /** With * and ?. */
  readonly wildcards: readonly string[];
}

/** "*:80", "127.0.0.1:80" or "[::1]:80", and what follows: the one virtual host there, or the list of them. */
const ADDRESS = /^(\S+):(\d+|\*)\s+(?:(\S+) \((\/.+):(\d+)\)|is a NameVirtualHost)$/;
const NAMED = /^port (\d+|\*) namevhost (\S+) \((\/.+):(\d+)\)$/;
const ALIAS = /^(alias|wild alias) (\S+)$/;

/** In the order in which Apache looks through them; one that stands at several addresses comes once for each. */
export function readVirtualHosts(dump: string): readonly DumpedHost[] {
  const found: { port: string; file: string; line: string; names: string[]; wildcards: string[] }[] = [];
  for (const text of dump.split('\n').map((line) => line.trim())) {
    const [, , port = '', alone = '', file = '', line = ''] = ADDRESS.exec(text) ?? [];
    if (file !== '') found.push({ port, file, line, names: [alone], wildcards: [] });
    const [, at = '', name = '', from = '', where = ''] = NAMED.exec(text) ?? [];
    if (from !== '') found.push({ port: at, file: from, line: where, names: [name], wildcards: [] });
    const [, kind, alias = ''] = ALIAS.exec(text) ?? [];
    if (kind === 'alias') found.at(-1)?.names.push(alias.toLowerCase());
    if (kind === 'wild alias') found.at(-1)?.wildcards.push(alias.toLowerCase());
  }
  return found;
}

export interface Conflict {
  readonly name: string;
  /** file:line of the virtual host that is not the site's. */
  readonly other: string;
}

/** Names of Aegir's virtual hosts in includeDir at port that another one claims too, or takes by a wildcard before it. */
export function conflicts(hosts: readonly DumpedHost[], includeDir: string, port: number): readonly Conflict[] {
  const here = hosts.filter((host) => host.port === String(port) || host.port === '*');
  const first = new Map<string, number>();
  for (const [index, host] of here.entries()) if (!first.has(idOf(host))) first.set(idOf(host), index);
  const found = new Map<string, Conflict>();
  for (const ours of here) {
    if (dirname(ours.file) !== includeDir || !OUR_FILE.test(basename(ours.file))) continue;
    for (const other of here) {
      if (idOf(other) === idOf(ours)) continue;
      const before = (first.get(idOf(other)) ?? 0) < (first.get(idOf(ours)) ?? 0);
      for (const name of ours.names) {
        const taken = other.names.includes(name) || (before && other.wildcards.some((wild) => matches(wild, name)));
        if (taken) found.set(`${name} ${idOf(other)}`, { name, other: idOf(other) });
      }
    }
  }
  return [...found.values()];
}

const CONFLICT = /^conflicting server name "([^"]*)": /;

/** As warnings of a test, in the form in which other web servers give theirs. */
export function conflictWarnings(found: readonly Conflict[]): readonly string[] {
  return found.map(({ name, other }) => `conflicting server name "${name}": ${other} has it too`);
}

export function conflictingNames(warnings: readonly string[]): readonly string[] {
  return [...new Set(warnings.flatMap((warning) => CONFLICT.exec(warning)?.[1] ?? []))];
}

function idOf({ file, line }: DumpedHost): string {
  return `${file}:${line}`;
}

function matches(wildcard: string, name: string): boolean {
  const pattern = wildcard
    .replace(/[.+^${}()|[\]\\]/g, '\\$&')
    .replaceAll('*', '.*')
    .replaceAll('?', '.');
  return new RegExp(`^${pattern}$`).test(name);
}

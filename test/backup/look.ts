// What lies below a directory, so that two trees can be compared: every name, kind, mode, owner, time, link and content.
import { createHash } from 'node:crypto';
import { lstatSync, readdirSync, readFileSync, readlinkSync } from 'node:fs';

export interface Looked {
  readonly kind: string;
  readonly mode: string;
  readonly owner: string;
  readonly mtimeNs: bigint;
  readonly size: bigint;
  /** Of a file its SHA-256, of a link where it leads. */
  readonly content: string;
}

/** By the path's bytes as latin1; '' is the directory itself. */
export function lookAt(dir: string): Record<string, Looked> {
  const found: Record<string, Looked> = {};
  const walk = (path: string) => {
    const at = Buffer.from(path === '' ? dir : `${dir}/${path}`, 'latin1');
    const facts = lstatSync(at, { bigint: true });
    const kind = facts.isDirectory()
      ? 'directory'
      : facts.isSymbolicLink()
        ? 'link'
        : facts.isFile()
          ? 'file'
          : 'other';
    found[path] = {
      kind,
      mode: (Number(facts.mode) & 0o7777).toString(8),
      owner: `${facts.uid}:${facts.gid}`,
      mtimeNs: facts.mtimeNs,
      size: kind === 'file' ? facts.size : 0n,
      content:
        kind === 'file'
          ? createHash('sha256').update(readFileSync(at)).digest('hex')
          : kind === 'link'
            ? readlinkSync(at, { encoding: 'latin1' })
            : '',
    };
    if (kind !== 'directory') return;
    for (const name of readdirSync(at, { encoding: 'latin1' as BufferEncoding })) {
      walk(path === '' ? name : `${path}/${name}`);
    }
  };
  walk('');
  return found;
}

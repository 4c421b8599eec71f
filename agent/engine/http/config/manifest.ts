// The record of what Aegir has a daemon load: file names and digests, kept as comments in our base file of that daemon,
// whose digest in turn the daemon itself tells when asked. So a file that was written but not loaded, removed by hand or
// changed by hand is told from the others, after any crash, without a second truth beside the daemon. Pure.
import { sha256Hex } from '../../../../shared/digest.ts';

/** What of a file's content concerns the base file too: whether it serves TLS. */
export type Mark = '' | 'tls';

export interface Entry {
  /** SHA-256 of the content that we wrote, hex. */
  readonly digest: string;
  readonly mark: Mark;
}

/** By file name. */
export type Manifest = ReadonlyMap<string, Entry>;

export type CommentSign = '#' | ';';

const ENTRY = /^[#;] loads (aegir-[a-z0-9.-]+\.conf) ([0-9a-f]{64})( tls)?$/gm;

export function parseManifest(base: string | undefined): Manifest {
  const entries = [...(base ?? '').matchAll(ENTRY)];
  return new Map(
    entries.map(([, name = '', digest = '', tls]) => [name, { digest, mark: tls === undefined ? '' : 'tls' }]),
  );
}

export function renderManifest(manifest: Manifest, sign: CommentSign): string {
  const names = [...manifest.keys()].sort();
  return names
    .map((name) => {
      const { digest, mark } = manifest.get(name) as Entry;
      return `${sign} loads ${name} ${digest}${mark === '' ? '' : ` ${mark}`}\n`;
    })
    .join('');
}

/** The manifest after a file was written, or removed (content undefined). */
export function withEntry(manifest: Manifest, name: string, content: string | undefined, mark: Mark = ''): Manifest {
  const next = new Map(manifest);
  if (content === undefined) next.delete(name);
  else next.set(name, { digest: sha256Hex(content), mark });
  return next;
}

export interface Base {
  readonly text: string;
  /** What the daemon answers once it has loaded this text. */
  readonly generation: string;
}

/** A base file carries its own digest, taken over itself with that place left empty. */
export function makeBase(manifest: Manifest, render: (manifest: Manifest, generation: string) => string): Base {
  const generation = sha256Hex(render(manifest, ''));
  return { text: render(manifest, generation), generation };
}

// Reads backups of a store that is a directory here, without a master: what is left when the master is lost.
import { readFile } from 'node:fs/promises';
import { Readable } from 'node:stream';
import { text } from 'node:stream/consumers';
import { pipeline } from 'node:stream/promises';
import { byteSize } from '../shared/byte-size.ts';
import { AegirError } from '../shared/error.ts';
import { readArchive } from './backup/store/archive.ts';
import { repositoryIn } from './backup/store/open-repository.ts';
import type { Repository } from './backup/store/repository.ts';
import { placeFailure } from './engine/file/errno.ts';
import { openDirectory, openTreeStore } from './engine/file/tree-store.ts';

export interface ReadStoreOptions {
  readonly store: string;
  /** "-" for standard input. */
  readonly keyFile?: string;
}

/** A line for each: id, when it was taken, bytes, and of what site, as its manifest says. */
export function listBackups(options: ReadStoreOptions): Promise<string> {
  return using(options, async (repository) => {
    const lines: string[] = [];
    for (const id of [...(await repository.backups())].sort()) {
      const summary = await repository.summary(id);
      const said = summary === undefined ? ['-', '-', ''] : summaryWords(summary);
      lines.push(`${[id, ...said].join('  ').trimEnd()}\n`);
    }
    return lines.join('');
  });
}

function summaryWords({ takenAt, facts, manifest }: NonNullable<Awaited<ReturnType<Repository['summary']>>>): string[] {
  return [takenAt.toISOString(), byteSize(Number(facts.bytes)), siteIn(manifest)];
}

/** Whoever can write to the store may have written it: nothing of it drives a terminal. */
function siteIn(manifest: string): string {
  try {
    const { site } = JSON.parse(manifest) as { readonly site?: { readonly name?: unknown; readonly url?: unknown } };
    const said = [site?.name, site?.url].filter((word) => typeof word === 'string' && word !== '');
    return said.length === 0 ? '-' : plain(said.join('  '));
  } catch {
    return '-';
  }
}

const MOST_SAID = 300;

function plain(text: string): string {
  return text.slice(0, MOST_SAID).replace(/[^\x20-\x7e]/g, '?');
}

/** The whole tar, each chunk verified; throws data_loss where it cannot go on. */
export function extractBackup(id: string, options: ReadStoreOptions, to: NodeJS.WritableStream): Promise<void> {
  return using(options, async (repository) => {
    if (!(await repository.hasIndex(id))) {
      throw new AegirError('not_found', `cannot extract ${id}: ${options.store} has no such backup; see: backup list`);
    }
    const summary = await repository.summary(id);
    await pipeline(Readable.from(readArchive(repository, id, summary?.facts.digest)), to, { end: false });
  });
}

async function using<T>({ store: dir, keyFile }: ReadStoreOptions, act: (repository: Repository) => Promise<T>) {
  const key = keyFile === undefined ? undefined : await readKey(keyFile);
  const root = await openDirectory(dir).catch((thrown: unknown) => {
    throw placeFailure(thrown, 'open the store', dir);
  });
  const store = await openTreeStore({ root, where: dir });
  try {
    return await act(await repositoryIn(store, key, 'read'));
  } finally {
    await store.close();
  }
}

async function readKey(file: string): Promise<Uint8Array> {
  const said = (file === '-' ? await text(process.stdin) : await readFile(file, 'utf8')).trim();
  if (/^[0-9a-f]{64}$/i.test(said)) return Buffer.from(said, 'hex');
  throw new AegirError('invalid_argument', `cannot read the key of the store: ${file} has no 64 hexadecimal digits`);
}

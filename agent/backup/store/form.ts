// How backups lie in a store: names of objects and what is done to their content. Plain is casync's own layout, so that
// casync reads it; sealed-form.ts is the other one.

type Content = Iterable<Uint8Array> | AsyncIterable<Uint8Array>;

export interface Form {
  readonly encrypted: boolean;
  /** Object that keeps a chunk. */
  chunk(id: string): string;
  /** What begins with it are chunks, and nothing else. */
  readonly chunks: string;
  isChunk(object: string): boolean;
  /** Object that keeps a file of a backup, as "bak-….caibx". */
  file(name: string): string;
  /** The file that an object keeps; undefined for what is none. */
  fileOf(object: string): string | undefined;
  /** Content as it is put, and back. open throws data_loss for what was altered or is another object's. */
  seal(object: string, content: Content): Content;
  open(object: string, pieces: AsyncIterable<Uint8Array>): AsyncIterable<Uint8Array>;
}

/** Files of backups lie below it. */
export const FILES = 'backups/';
export const CHUNKS = 'chunks/';

export function indexFile(backupId: string): string {
  return `${backupId}.caibx`;
}

export function summaryFile(backupId: string): string {
  return `${backupId}.json`;
}

/** undefined for a file that is no index. */
export function indexedBackup(file: string): string | undefined {
  return file.endsWith('.caibx') ? file.slice(0, -'.caibx'.length) : undefined;
}

export const plainForm: Form = {
  encrypted: false,
  chunk: (id) => `${CHUNKS}${id.slice(0, 4)}/${id}.cacnk`,
  chunks: CHUNKS,
  isChunk: (object) => /^chunks\/([0-9a-f]{4})\/\1[0-9a-f]{60}\.cacnk$/.test(object),
  file: (name) => `${FILES}${name}`,
  fileOf: (object) => /^backups\/([A-Za-z0-9][A-Za-z0-9._-]*\.(?:caibx|json))$/.exec(object)?.[1],
  seal: (_, content) => content,
  open: (_, pieces) => pieces,
};

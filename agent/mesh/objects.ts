// The contract of what can be transferred: a kind of object says where a thing of it is read and where one is kept.
// A thing is a blob (bytes in order, known by their digest) or a set of chunks (each known by its SHA-256) with an index
// that names them in order. A kind is one object in the list that main.ts makes.
import type { CheckedGrant } from './grant.ts';

export interface ObjectKind {
  /** The word in grants. */
  readonly kind: string;
  /** Without a byte for so long a transfer of it fails; for those that somebody waits for. */
  readonly patienceMs?: number;
  /** The thing that a checked grant names, to be sent; undefined when it is not here. Whoever asked closes it. */
  give(grant: CheckedGrant): Promise<Given | undefined>;
  /** Where the thing goes, to be received. Throws AegirError when this host takes none. */
  take(grant: CheckedGrant): Promise<Taken>;
}

export type Given = GivenBlob | GivenChunks;
export type Taken = TakenBlob | TakenChunks;

/** Bytes that can be read at any place. */
export interface Bytes {
  readonly size: number;
  /** Exactly length bytes. Throws data_loss when there are fewer. */
  read(offset: number, length: number): Promise<Uint8Array>;
  close(): Promise<void>;
}

export interface GivenBlob extends Bytes {
  readonly form: 'blob';
}

export interface GivenChunks {
  readonly form: 'chunks';
  /** The index as a file: what the grant's digest is of. */
  readonly bytes: Bytes;
  readonly index: ChunkIndex;
  readonly store: Pick<ChunkStore, 'get' | 'soon'>;
  close(): Promise<void>;
}

export interface TakenBlob {
  readonly form: 'blob';
  readonly sink: Sink;
}

export interface TakenChunks {
  readonly form: 'chunks';
  /** Keeps the index; it is in its place only when every chunk that it names is durable. */
  readonly sink: Sink & { readonly path: string; readonly staged: string };
  openIndex(path: string): Promise<ChunkIndex>;
  readonly store: TakenStore;
}

export interface ChunkRef {
  /** SHA-256 of the bytes before compression, hexadecimal. */
  readonly id: string;
  /** Bytes before compression, 1 to MAX_CHUNK_BYTES. */
  readonly size: number;
}

export const MAX_CHUNK_BYTES = 4 * 1024 * 1024;

/** The chunks of a thing in order. Read from disk in parts: it may be larger than memory. */
export interface ChunkIndex {
  readonly count: number;
  /** Of all chunks together, before compression; a chunk that comes twice counts twice. */
  readonly bytes: number;
  /** All of them are there: first + count is at most the index's count. */
  at(first: number, count: number): Promise<readonly ChunkRef[]>;
  close(): Promise<void>;
}

export interface StoredChunk {
  readonly compression: 'none' | 'zstd';
  readonly bytes: Uint8Array;
  /** Nobody else has its memory: whoever got it may give that away. */
  readonly own?: true;
}

/** Where chunks lie, by their id. Several transfers may use it at once. */
export interface ChunkStore {
  /** For each of them whether it is there, durably and whole: what a crash left half does not count. */
  has(ids: readonly string[]): Promise<readonly boolean[]>;
  /** The chunk as it is stored; its bytes need not be verified: the receiver does. Throws data_loss when it is not there. */
  get(id: string): Promise<StoredChunk>;
  /** They are got next, in this order: a store far away may fetch some of them ahead. */
  soon?(ids: readonly string[]): void;
  /** Takes in a chunk; raw is what it is before compression, verified against id. Durable with the next flush. */
  put(id: string, raw: Uint8Array, stored: StoredChunk): Promise<void>;
  /** When it resolves, every chunk that was put before is durable, and has() says so. */
  flush(): Promise<void>;
}

/** Where chunks go that come: it is given them verified, or has threads of its own to verify them. */
export type TakenStore = Pick<ChunkStore, 'has' | 'flush'> & (Pick<ChunkStore, 'put'> | VerifyingStore);

export interface VerifyingStore {
  /**
   * Takes in chunks as they came in a message, when they are what verified-chunk.ts says. They have their memory in common;
   * from OWN_BYTES on (let-go.ts) nobody else has it. Throws data_loss. Durable with the next flush.
   */
  takeIn(refs: readonly ChunkRef[], chunks: readonly StoredChunk[]): Promise<void>;
}

/** Where a blob goes. One transfer at a time. */
export interface Sink {
  /**
   * Looks at what is there of it. whole: it is in its place, with that digest. Otherwise the bytes from the beginning
   * that may be kept: each is given to `seen` in order.
   */
  begin(digest: string, seen: (bytes: Uint8Array) => void): Promise<{ readonly whole: boolean; readonly kept: number }>;
  /** The next bytes. */
  write(bytes: Uint8Array): Promise<void>;
  /** What was written before is durable when it resolves. */
  flush(): Promise<void>;
  /** All is there and was verified: puts it in its place, durably. */
  commit(): Promise<void>;
  /** Throws away what is not in its place. */
  discard(): Promise<void>;
  /** Lets go of the files; what was written stays, for the next time. Repeatable. */
  close(): Promise<void>;
}

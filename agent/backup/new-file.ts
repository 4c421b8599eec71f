// A file that is put back where nothing has its name, or beside what has it. For workers alone.
import type { BigIntStats } from 'node:fs';
import { closeSync, constants, fchmodSync, fchownSync, fstatSync, openSync, readSync, unlinkSync } from 'node:fs';
import { AegirError } from '../../shared/error.ts';
import type { ByteName } from './entry.ts';
import type { Libc } from './libc.ts';
import { writeContent } from './put-content.ts';
import type { Saying } from './take-files.ts';
import { inside } from './tree.ts';

const NEW = constants.O_WRONLY | constants.O_CREAT | constants.O_EXCL | constants.O_NOFOLLOW;

export interface Dress {
  readonly uid: number;
  readonly gid: number;
  readonly mode: number;
  readonly mtimeNs: bigint;
}

/** Only root may give files away; elsewhere all are the run user's anyway. */
export function mayGive(): boolean {
  return process.geteuid?.() === 0;
}

/**
 * Answers its descriptor. It is the site's at once, which may rename it meanwhile; what a crash leaves of it has another time
 * than it shall have. Throws EEXIST.
 */
export function openNew(directory: number, name: ByteName, { uid, gid }: Dress): number {
  const file = openSync(inside(directory, name), NEW, 0o600);
  if (mayGive()) fchownSync(file, uid, gid);
  return file;
}

/** When all is written. */
export function dressNew(file: number, { mode, mtimeNs }: Dress, libc: Libc): void {
  libc.setTime(file, '', mtimeNs);
  fchmodSync(file, mode);
}

/** Small ones that nothing lies in the way of, whose content lies in a pack. */
export interface NewFiles {
  /** Descriptors, which threads have in common; they stay open until the answer is there. */
  readonly directory: number;
  readonly pack: number;
  readonly files: readonly NewFile[];
}

export interface NewFile {
  readonly name: ByteName;
  readonly dress: Dress;
  readonly size: number;
  /** Where it lies in the pack: offset and length of each piece. */
  readonly pieces: readonly number[];
}

/** ino and ctimeNs of those that are there, from the first on: up to one that was not to be. */
export type MadeFiles = BigInt64Array;

/** Answers how to make them, one after the other. */
export function createMaker(libc: Libc, saying: Saying): (files: NewFiles) => MadeFiles {
  let room = Buffer.alloc(0);
  return ({ directory, pack, files }) => {
    const made = new BigInt64Array(2 * files.length);
    let count = 0;
    for (const each of files) {
      saying.check();
      if (each.size > room.length) room = Buffer.allocUnsafeSlow(2 * each.size);
      const facts = unlessRefused(() => makeFile(directory, pack, each, room, libc, saying));
      if (facts === undefined) break;
      made[2 * count] = BigInt.asIntN(64, facts.ino);
      made[2 * count + 1] = facts.ctimeNs;
      count += 1;
    }
    return made.slice(0, 2 * count);
  };
}

function makeFile(
  directory: number,
  pack: number,
  { name, dress, size, pieces }: NewFile,
  room: Buffer,
  libc: Libc,
  saying: Saying,
): BigIntStats {
  let filled = 0;
  for (let i = 0; i < pieces.length; i += 2) {
    const [at, length] = [pieces[i] as number, pieces[i + 1] as number];
    for (let done = 0; done < length; ) {
      const count = readSync(pack, room, filled, length - done, at + done);
      if (count === 0) throw new AegirError('data_loss', 'cannot read a chunk: it is not there, or damaged');
      done += count;
      filled += count;
    }
  }
  const file = openNew(directory, name, dress);
  try {
    const lend = (offset: number, length: number) => room.subarray(offset, offset + length);
    writeContent(file, { lend, zerosAt: () => 0 }, 0, size, saying);
    dressNew(file, dress, libc);
    return fstatSync(file, { bigint: true });
  } catch (thrown) {
    unlinkSync(inside(directory, name));
    throw thrown;
  } finally {
    closeSync(file);
  }
}

/** Whoever wants it does it in another way, and tells what is wrong. */
function unlessRefused<T>(act: () => T): T | undefined {
  try {
    return act();
  } catch (thrown) {
    if (thrown instanceof AegirError && thrown.code === 'cancelled') throw thrown;
    return undefined;
  }
}

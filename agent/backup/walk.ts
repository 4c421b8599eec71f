// What lies in a tree, in the order of an archive, as runs of entries; directories ahead are looked at by another thread,
// where there is one. For workers alone.
import { closeSync, fstatSync } from 'node:fs';
import { AegirError } from '../../shared/error.ts';
import { type ByteName, MAX_DEPTH, readable } from './entry.ts';
import type { Seen, Sight } from './seen.ts';
import { factsOf, namesIn, openDirectoryIn, unlessGone } from './tree.ts';

/** Entries of seen from one place up to another. */
export interface Run {
  readonly seen: Seen;
  readonly from: number;
  readonly to: number;
}

/** What lies in a directory, of which there may be more than are looked at together. */
export interface Listed {
  readonly seen: Seen;
  /** The last name that was looked at; undefined when there is none after it. */
  readonly last: ByteName | undefined;
  readonly leftover: boolean;
}

/** Looks at directories before their turn. */
export interface LookAhead {
  /** Whether it takes another one now. */
  isFree(): boolean;
  /** Answers how to have what it saw: undefined, look yourself. To be called once, while directory is open. */
  look(directory: number, name: ByteName, path: ByteName): () => Listed | undefined;
  /** Nothing is in its hands any more when it returns. */
  drain(): void;
}

export interface Walking {
  readonly sight: Sight;
  readonly ahead: LookAhead | undefined;
  /** Of what is neither file, directory nor link. */
  warn(text: string): void;
  /** Of a directory in which there is what a restore has in the making, or what is named as if it were. */
  leftover(path: ByteName): void;
}

/** Names that are looked at together. */
const TOGETHER = 1024;
/** Of the directories in one so many lie before the one that is dealt out. */
const AHEAD = 3;

/** The tree's directory, then what is in it. What vanishes meanwhile is passed over. */
export function* walk(root: number, tree: ByteName, walking: Walking): Generator<Run> {
  const { sight, ahead, warn } = walking;
  yield { seen: sight.root(factsOf(fstatSync(root, { bigint: true })), tree), from: 0, to: 1 };
  yield* below(root, tree, 1, undefined);

  function* below(directory: number, path: ByteName, depth: number, known: Listed | undefined): Generator<Run> {
    if (depth > MAX_DEPTH) {
      throw new AegirError(
        'failed_precondition',
        `cannot keep ${readable(path)}: its directories lie more than ${MAX_DEPTH} deep; remove it`,
      );
    }
    let last: ByteName | undefined = '';
    if (known !== undefined) {
      yield* within(directory, path, depth, known.seen);
      last = known.last;
    }
    if (last === undefined) return;
    const all = namesIn(directory, () => known === undefined && walking.leftover(path));
    const names = last === '' ? all : all.filter((name) => name > (last ?? ''));
    for (let at = 0; at < names.length; at += TOGETHER) {
      yield* within(directory, path, depth, sight.within(directory, path, names.slice(at, at + TOGETHER)));
    }
  }

  function* within(directory: number, path: ByteName, depth: number, seen: Seen): Generator<Run> {
    const { directories } = seen;
    seen.passed.forEach(warn);
    let [from, next] = [0, 1];
    const looks = new Map<number, () => Listed | undefined>();
    /** Every other one is dealt out, and those between are looked at here meanwhile. */
    const lookOf = (at: number) => {
      while (next <= at) next += 2;
      for (; next < directories.length && next <= at + AHEAD && ahead?.isFree() === true; next += 2) {
        const name = directories[next]?.name ?? '';
        looks.set(next, ahead.look(directory, name, `${path}/${name}`));
      }
      const look = looks.get(at);
      looks.delete(at);
      return look?.();
    };
    try {
      for (const [at, { name, place }] of directories.entries()) {
        const known = lookOf(at);
        if (place > from) yield { seen, from, to: place };
        from = place + 1;
        const inner = unlessGone(() => openDirectoryIn(directory, name));
        if (inner === undefined) continue;
        try {
          yield { seen, from: place, to: place + 1 };
          if (known?.leftover === true) walking.leftover(`${path}/${name}`);
          yield* below(inner, `${path}/${name}`, depth + 1, known);
        } finally {
          closeSync(inner);
        }
      }
      if (seen.count > from) yield { seen, from, to: seen.count };
    } finally {
      // Only when the walk is broken off: they are of a directory that is closed next.
      if (looks.size > 0) ahead?.drain();
    }
  }
}

/** For the thread that looks ahead; undefined when it is gone, or something else. */
export function listed(directory: number, name: ByteName, path: ByteName, sight: Sight): Listed | undefined {
  const inner = unlessGone(() => openDirectoryIn(directory, name));
  if (inner === undefined) return undefined;
  try {
    let leftover = false;
    const names = namesIn(inner, () => {
      leftover = true;
    });
    const seen = sight.within(inner, path, names.slice(0, TOGETHER));
    return { seen, last: names.length > TOGETHER ? names[TOGETHER - 1] : undefined, leftover };
  } finally {
    closeSync(inner);
  }
}

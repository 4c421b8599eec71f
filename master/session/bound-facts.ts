// What agents tell of backups and moves, bounded and formed: a hostile one may name any number and any text.
import type { ActionOutput } from '../../shared/gen/aegir/v1/agent.ts';

const MAX_TEXT = 1000;
const MAX_PARTS = 3;
const MAX_PROBLEMS = 20;
const MAX_BACKUPS = 1000;
const DIGEST_BYTES = 32;
/** What a number of the store can be (2^53 - 1). */
const MOST = BigInt(Number.MAX_SAFE_INTEGER);
const PARTS = ['manifest', 'database', 'files'];
const PHASES = ['hold', 'forward', 'refuse', 'closed', 'expired'];

type Facts = Pick<
  ActionOutput,
  'snapshot' | 'backup' | 'restore' | 'prune' | 'check' | 'absent' | 'gate' | 'traffic' | 'replica' | 'files'
>;

/** Only what is there. A digest of another length is none: no grant is made for it. */
export function boundFacts(output: ActionOutput): Facts {
  const { snapshot, backup, restore, prune, check, absent, gate, traffic, replica, files } = output;
  const facts: Facts = {};
  if (snapshot !== undefined) {
    const { digest, takenAt, position } = snapshot;
    facts.snapshot = { ...numbers(snapshot), digest: digestOf(digest), takenAt, position: cut(position, MAX_TEXT) };
  }
  if (backup !== undefined) {
    const parts = backup.parts.slice(0, MAX_PARTS).filter(({ part }) => PARTS.includes(part));
    facts.backup = {
      ...numbers(backup),
      digest: digestOf(backup.digest),
      parts: parts.map((part) => ({ ...numbers(part), digest: digestOf(part.digest) })),
    };
  }
  if (restore !== undefined) facts.restore = numbers(restore);
  if (prune !== undefined) facts.prune = numbers(prune);
  if (check !== undefined) {
    const problems = check.problems.slice(0, MAX_PROBLEMS).map((text) => cut(text, MAX_TEXT));
    facts.check = { ...numbers(check), problems };
  }
  if (absent !== undefined) {
    const ids = absent.backupIds.slice(0, MAX_BACKUPS).filter((id) => /^bak-[0-9a-z]{16}$/.test(id));
    facts.absent = { backupIds: ids };
  }
  if (gate !== undefined) {
    facts.gate = { ...numbers(gate), phase: PHASES.includes(gate.phase) ? gate.phase : 'expired' };
  }
  if (traffic !== undefined) facts.traffic = traffic;
  if (files !== undefined) facts.files = { ...numbers(files), digest: digestOf(files.digest) };
  if (replica !== undefined) {
    facts.replica = {
      ...replica,
      position: cut(replica.position, MAX_TEXT),
      error: cut(replica.error, MAX_TEXT),
    };
  }
  return facts;
}

/** The same with each 64-bit number within what can be kept. */
function numbers<T extends object>(facts: T): T {
  const bounded = Object.entries(facts).map(([key, value]) => [
    key,
    typeof value === 'bigint' && value > MOST ? MOST : value,
  ]);
  return Object.fromEntries(bounded) as T;
}

function digestOf(bytes: Uint8Array): Uint8Array {
  return bytes.length === DIGEST_BYTES ? bytes : new Uint8Array(0);
}

export function cut(text: string, max: number): string {
  return text.length > max ? text.slice(0, max).toWellFormed() : text;
}

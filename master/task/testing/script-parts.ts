// What script agents do with parts of sites: content of hosts is a word, snapshots and stores keep words, and who pulls
// reads in its grant where from. Words in the world are compared by tests; what stores keep is looked at by name.
import { AegirError } from '../../../shared/error.ts';
import type { ActionOutput } from '../../../shared/gen/aegir/v1/agent.ts';
import type { PartSource } from '../../../shared/gen/aegir/v1/backup.ts';
import type { ActionOrder } from '../../session/agents.ts';

export interface ScriptParts {
  /** Words by backup and part, as "bak-… files". */
  readonly kept: Map<string, string>;
  /** How often a store finds that files changed since their snapshot. */
  restless: number;
  /** Which parts of changes, counted from 1, do not fit where they come to. */
  unfit: readonly number[];
  /** How often a grant ends before all has come. */
  short: number;
  /** undefined for an action that is about something else. */
  carryOut(world: Set<string>, serverId: string, order: ActionOrder): Partial<ActionOutput> | undefined;
}

const DIGEST = Buffer.alloc(32, 7);
/** Tables of every database. */
const TABLES = 12n;

export function createScriptParts(): ScriptParts {
  const snapshots = new Map<string, string>();
  let [places, applied] = [0, 0];
  const parts: ScriptParts = {
    kept: new Map(),
    restless: 0,
    unfit: [],
    short: 0,
    carryOut(world, serverId, { request, resource }) {
      const content = (part: string) => `${serverId} ${part} of ${resource} `;
      switch (request.$case) {
        case 'takeSnapshot': {
          const { snapshotId, part } = request.value;
          const name = part?.$case ?? '';
          const there = [...world].find((line) => line.startsWith(content(name)));
          const word = there?.slice(content(name).length) ?? 'nothing';
          if (!world.has(`${serverId} ${snapshotId}`)) snapshots.set(snapshotId, word);
          world.add(`${serverId} ${snapshotId}`);
          const entries = name === 'database' ? TABLES : 3n;
          const size = { bytes: 1000n, chunks: 2n, readBytes: 10n, entries };
          const position = name === 'files' ? '' : `log.1:${++places}`;
          return { snapshot: { digest: DIGEST, ...size, takenAt: new Date(1000), position } };
        }
        case 'dropSnapshot':
          world.delete(`${serverId} ${request.value.snapshotId}`);
          return {};
        case 'storeBackup': {
          const { backupId, sources } = request.value;
          if (parts.restless > 0) {
            parts.restless -= 1;
            throw new AegirError('data_loss', 'cannot read a chunk: a.txt changed', { retryable: true });
          }
          const complete = !cut(parts);
          for (const source of complete ? sources : []) {
            parts.kept.set(`${backupId} ${source.part}`, snapshots.get(nameIn(source).replace('snapshot/', '')) ?? '');
          }
          const size = { bytes: 2500n, chunks: 5n, newBytes: 100n, storedBytes: 50n, receivedBytes: 100n };
          const names = ['manifest', ...sources.map(({ part }) => part)];
          const facts = names.map((part, at) => ({
            ...{ part, digest: DIGEST, firstChunk: BigInt(at), chunks: 1n, bytes: 1000n },
          }));
          return { backup: { complete, digest: DIGEST, ...size, parts: facts } };
        }
        case 'offerPart':
          return {};
        case 'restoreFiles':
        case 'restoreDatabase': {
          const part = request.$case === 'restoreFiles' ? 'files' : 'database';
          const complete = !cut(parts);
          const [, id = ''] = /^(?:snapshot|backup\/[^/]+)\/([^/]+)/.exec(nameIn(request.value.source)) ?? [];
          const word = parts.kept.get(`${id} ${part}`) ?? snapshots.get(id);
          if (word === undefined) throw new AegirError('not_found', `cannot restore ${id}: it is not there`);
          if (complete) {
            for (const line of [...world]) if (line.startsWith(content(part))) world.delete(line);
            world.add(`${content(part)}${word}`);
          }
          const entries = part === 'database' ? TABLES : 2n;
          return { restore: { complete, receivedBytes: 10n, written: 1n, entries, writtenBytes: 10n } };
        }
        case 'applyChanges': {
          const complete = !cut(parts);
          const id = nameIn(request.value.source).replace('snapshot/', '');
          if (!snapshots.has(id)) throw new AegirError('not_found', `cannot take changes of ${id}: it is not there`);
          world.add(`${serverId} follows ${resource} `);
          applied += 1;
          if (parts.unfit.includes(applied)) {
            throw new AegirError('failed_precondition', 'cannot take changes of a database: one does not fit here');
          }
          return { restore: { complete, receivedBytes: 10n, written: 3n, entries: 3n, writtenBytes: 10n } };
        }
        case 'pruneStore': {
          const { backupIds, preview } = request.value;
          const gone = [...parts.kept.keys()].filter((key) => backupIds.some((id) => key.startsWith(id)));
          if (preview !== true) for (const key of gone) parts.kept.delete(key);
          return { prune: { backups: 1n, chunks: 2n, bytes: 3n, keptBackups: 4n, keptChunks: 5n } };
        }
        case 'checkBackup':
          return { check: { chunks: 5n, bytes: 2500n, damaged: 0n, problems: [], absent: false } };
        case 'findBackups': {
          const keys = [...parts.kept.keys()];
          const absent = request.value.backupIds.filter((id) => !keys.some((key) => key.startsWith(id)));
          return { absent: { backupIds: absent } };
        }
        default:
          return undefined;
      }
    },
  };
  return parts;
}

function cut(parts: ScriptParts): boolean {
  if (parts.short === 0) return false;
  parts.short -= 1;
  return true;
}

/** The rig's grants are their orders. */
function nameIn(source: PartSource | undefined): string {
  const body = Buffer.from(source?.grant?.body ?? []).toString();
  return (JSON.parse(body) as { name: string }).name;
}

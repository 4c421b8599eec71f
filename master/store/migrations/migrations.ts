// The one list of migrations, and what they are written with. A migration that was released is never edited.
import type { DatabaseKind } from '../database.ts';
import { graph } from './0001-graph.ts';
import { tasks } from './0002-tasks.ts';
import { zones } from './0003-zones.ts';
import { siteWeb } from './0004-site-web.ts';
import { clusters } from './0005-clusters.ts';
import { siteReports } from './0006-site-reports.ts';
import { siteAccess } from './0007-site-access.ts';
import { backups } from './0008-backups.ts';
import { siteMove } from './0009-site-move.ts';
import { siteSpread } from './0010-site-spread.ts';
import { siteDns } from './0011-site-dns.ts';
import { siteNumbers } from './0012-site-numbers.ts';
import { noMeshKey } from './0013-no-mesh-key.ts';
import { knownSince } from './0014-known-since.ts';

/** Column types that the two databases spell differently. */
export interface ColumnTypes {
  /** Compared by bytes on both, so that an order of ids is the same order everywhere. */
  readonly text: string;
  readonly integer: string;
  readonly real: string;
  /** Primary key, given by the database, growing. */
  readonly seq: string;
}

export interface Migration {
  /** 1, 2, 3, … without gaps. */
  readonly version: number;
  readonly name: string;
  /** Statements in order, in SQL that both databases know. */
  up(types: ColumnTypes): readonly string[];
}

export const migrations: readonly Migration[] = [
  ...[graph, tasks, zones, siteWeb, clusters, siteReports, siteAccess],
  ...[backups, siteMove, siteSpread, siteDns, siteNumbers, noMeshKey, knownSince],
];

export function columnTypes(kind: DatabaseKind): ColumnTypes {
  return kind === 'sqlite'
    ? { text: 'text', integer: 'integer', real: 'real', seq: 'integer primary key autoincrement' }
    : {
        text: 'text collate "C"',
        integer: 'bigint',
        real: 'double precision',
        seq: 'bigint generated always as identity primary key',
      };
}

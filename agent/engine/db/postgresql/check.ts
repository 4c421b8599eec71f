// Findings about a PostgreSQL server for server verify.
import { byteSize } from '../../../../shared/byte-size.ts';
import { toAegirError } from '../../../../shared/error.ts';
import type { Finding } from '../../../../shared/finding.ts';
import type { Daemon } from '../../../host/host.ts';
import type { ActionContext } from '../../engine.ts';
import { wrongLines } from './access.ts';
import { createClient } from './client.ts';

/** End of maintenance by major version: postgresql.org/support/versioning, read in 2026. */
const END_OF_LIFE: Readonly<Record<string, string>> = {
  '11': '2023-11-09',
  '12': '2024-11-21',
  '13': '2025-11-13',
  '14': '2026-11-12',
  '15': '2027-11-11',
  '16': '2028-11-09',
  '17': '2029-11-08',
  '18': '2030-11-14',
};

const FACTS = `SELECT json_build_object('version', current_setting('server_version'),
  'major', (current_setting('server_version_num')::int / 10000)::text, 'today', current_date::text,
  'fsync', current_setting('fsync')::boolean, 'unread', ARRAY (SELECT json_build_object('slot', slot_name,
    'bytes', pg_wal_lsn_diff(CASE WHEN pg_is_in_recovery() THEN pg_last_wal_replay_lsn() ELSE pg_current_wal_lsn() END, restart_lsn)::bigint)
    FROM pg_replication_slots WHERE NOT active AND restart_lsn IS NOT NULL));`;

/** What a slot that nobody reads may keep of the log before it is told. */
const MUCH_BYTES = 1_000_000_000;

interface Facts {
  readonly version: string;
  readonly major: string;
  readonly today: string;
  readonly fsync: boolean;
  readonly unread: readonly { readonly slot: string; readonly bytes: number }[];
}

export async function checkPostgresql(daemon: Daemon, ctx: ActionContext): Promise<readonly Finding[]> {
  const subject = `service:${daemon.name}`;
  const client = createClient(ctx.host, daemon);
  try {
    const [row] = await client.query(FACTS, 'ask PostgreSQL', { signal: ctx.signal });
    const facts = row as Facts;
    const version = facts.version.split(' ')[0] ?? '';
    const findings: Finding[] = [{ subject, level: 'ok', text: `${version} answers on ${daemon.socket}` }];
    const warn = (what: string, text: string): number =>
      findings.push({ subject: `${subject}:${what}`, level: 'warning', text });
    const end = END_OF_LIFE[facts.major];
    if (end !== undefined && end <= facts.today)
      warn('version', `${facts.major} is out of maintenance since ${end}; upgrade it`);
    if (!facts.fsync) warn('fsync', 'fsync is off: what sites wrote is lost when the host fails; turn it on');
    for (const { slot, bytes } of facts.unread) {
      if (bytes < MUCH_BYTES) continue;
      const text = `nobody reads slot ${JSON.stringify(slot)}, which keeps ${byteSize(bytes)} of the write-ahead log and more until the disk is full; start its reader, or drop it`;
      warn('slot', text);
    }
    const wrong = await wrongLines({ client }, ctx);
    if (wrong.length > 0) {
      warn('access', `pg_hba.conf is wrong in line ${wrong.join(', ')}: no change of access takes effect; mend it`);
    }
    return findings;
  } catch (thrown) {
    return [{ subject, level: 'error', text: toAegirError(thrown, 'ask PostgreSQL').message }];
  }
}

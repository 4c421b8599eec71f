// Asks the server that is to be followed, from the one that is to follow, as the account that was made for it.
import { AegirError } from '../../../../shared/error.ts';
import type { DbSpec } from '../../../../shared/gen/aegir/v1/spec.ts';
import type { ActionContext } from '../../engine.ts';
import { namesOf } from '../site-names.ts';
import type { Client } from './client.ts';
import type { Leader } from './follow.ts';

const ASK = 'SELECT @@server_id, @@version;';
const TIMEOUT_MS = 30_000;

/** Throws failed_precondition when it cannot be followed by this server, unavailable when it is not reached. */
export async function askLeader(
  client: Client,
  { siteId, database }: DbSpec,
  leader: Leader,
  ctx: ActionContext,
): Promise<{ readonly tls: boolean }> {
  const doing = `follow database ${database}`;
  const ask = (tls: boolean) =>
    ctx.host.run({
      argv: [
        'mariadb',
        '--no-defaults',
        '--batch',
        '--skip-column-names',
        '--connect-timeout=10',
        tls ? '--ssl' : '--skip-ssl',
        '--disable-ssl-verify-server-cert',
        `--host=${leader.address}`,
        `--port=${leader.port}`,
        `--user=${namesOf(siteId).follower}`,
      ],
      env: { PATH: '/usr/bin:/bin', LANG: 'C.UTF-8', MYSQL_PWD: leader.password },
      input: ASK,
      timeoutMs: TIMEOUT_MS,
      signal: ctx.signal,
    });
  let tls = true;
  let answer = await ask(tls);
  if (answer.code !== 0 && /ERROR 2026/.test(answer.stderr)) {
    tls = false;
    answer = await ask(tls);
  }
  const cause = answer.stderr.slice(0, 4096);
  if (answer.code !== 0) {
    const number = Number(/ERROR (\d+)/.exec(answer.stderr)?.[1] ?? 0);
    const refused = number === 1045 || number === 1130;
    const where = `MariaDB on ${leader.address}, port ${leader.port}`;
    throw new AegirError(
      refused ? 'failed_precondition' : 'unavailable',
      refused
        ? `cannot ${doing}: ${where} does not let this server in; see that it connects from an address that the other one knows`
        : `cannot ${doing}: ${where} is not reached (error ${number}); see that it listens there, and firewalls`,
      { cause, untouched: true },
    );
  }
  const [id = '', version = ''] = answer.stdout.trim().split('\t');
  const [row] = await client.query(ASK, doing, ctx.signal);
  const [ownId = '', ownVersion = ''] = row ?? [];
  const why = obstacle(id, version, ownId ?? '', ownVersion ?? '');
  if (why !== undefined) throw new AegirError('failed_precondition', `cannot ${doing}: ${why}`, { untouched: true });
  return { tls };
}

export function obstacle(id: string, version: string, ownId: string, ownVersion: string): string | undefined {
  if (id === ownId) return `both servers have the server_id ${id}; give each one of its own`;
  if (!/mariadb/i.test(version)) return `the other server is no MariaDB (${version})`;
  const series = (text: string): number => {
    const [, major = '0', minor = '0'] = /^([0-9]+)\.([0-9]+)/.exec(text) ?? [];
    return Number(major) * 1000 + Number(minor);
  };
  if (series(version) > series(ownVersion)) {
    return `the other server is newer (${version}, here ${ownVersion}), and may write what this one does not know`;
  }
  return undefined;
}

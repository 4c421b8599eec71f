// Findings about MariaDB for server verify.
import { toAegirError } from '../../../../shared/error.ts';
import type { Finding } from '../../../../shared/gen/aegir/v1/agent.ts';
import type { Daemon } from '../../../host/host.ts';
import type { ActionContext } from '../../engine.ts';
import { createClient } from './client.ts';

/** End of maintenance by series: mariadb.org/about/#maintenance-policy, read in 2026. */
const END_OF_LIFE: Readonly<Record<string, string>> = {
  '10.5': '2025-06-24',
  '10.6': '2026-07-06',
  '10.11': '2028-02-16',
  '11.4': '2029-05-29',
  '11.8': '2030-06-04',
};

export async function checkMariadb(daemon: Daemon | undefined, ctx: ActionContext): Promise<readonly Finding[]> {
  const subject = 'service:mariadb';
  if (daemon === undefined) return [{ subject, level: 'error', text: 'not installed; install mariadb-server' }];
  try {
    const [row] = await createClient(ctx.host, daemon).query('SELECT VERSION(), CURDATE();', 'ask MariaDB', ctx.signal);
    const [version = '', today = ''] = row ?? [];
    const series = /^[0-9]+\.[0-9]+/.exec(version ?? '')?.[0] ?? '';
    const end = END_OF_LIFE[series];
    const answer: Finding = { subject, level: 'ok', text: `${version} answers on ${daemon.socket}` };
    if (end === undefined || end > (today ?? '')) return [answer];
    return [
      answer,
      {
        subject: `${subject}:version`,
        level: 'warning',
        text: `${series} is out of maintenance since ${end}; upgrade it`,
      },
    ];
  } catch (thrown) {
    return [{ subject, level: 'error', text: toAegirError(thrown, 'ask MariaDB').message }];
  }
}

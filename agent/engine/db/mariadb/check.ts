// Findings about MariaDB or MySQL for server verify.
import { toAegirError } from '../../../../shared/error.ts';
import type { Finding } from '../../../../shared/finding.ts';
import { whyMissing } from '../../../../shared/missing.ts';
import type { Daemon } from '../../../host/host.ts';
import type { ActionContext } from '../../engine.ts';
import { createClient } from './client.ts';
import type { Dialect } from './dialect.ts';

export async function checkMariadb(
  daemon: Daemon | undefined,
  dialect: Dialect,
  ctx: ActionContext,
): Promise<readonly Finding[]> {
  const { name, label, serverPackage, endOfLife } = dialect;
  const subject = `service:${name}`;
  if (daemon === undefined) {
    return [{ subject, level: 'error', text: whyMissing(ctx.host, `not installed; install ${serverPackage}`) }];
  }
  try {
    const [row] = await createClient(ctx.host, daemon, dialect).query(
      'SELECT VERSION(), CURDATE();',
      `ask ${label}`,
      ctx.signal,
    );
    const [version = '', today = ''] = row ?? [];
    const series = /^[0-9]+\.[0-9]+/.exec(version ?? '')?.[0] ?? '';
    const end = endOfLife[series];
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
    return [{ subject, level: 'error', text: toAegirError(thrown, `ask ${label}`).message }];
  }
}

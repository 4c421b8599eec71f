// The programs by which zones are read and changed.
import { AegirError } from '../../../../shared/error.ts';
import type { Host } from '../../../host/host.ts';

const TOOLS = ['dig', 'nsupdate'] as const;

/** Before zones are made that could not be changed afterwards. Throws failed_precondition with what to install. */
export async function requireTools(host: Pick<Host, 'which'>, doing: string): Promise<void> {
  for (const tool of TOOLS) if ((await host.which(tool)) === undefined) throw noTools(doing);
}

export function noTools(doing: string, cause?: AegirError): AegirError {
  const why = `${TOOLS.join(' and ')} are missing on this server; install bind9-dnsutils`;
  return new AegirError('failed_precondition', `cannot ${doing}: ${why}`, { cause, untouched: true });
}

// Diagnosis: security updates that wait, by what apt knows already. It never goes to the network, and says how old its
// knowledge is.
import { stat } from 'node:fs/promises';
import type { Finding } from '../../shared/finding.ts';
import type { Host } from '../host/host.ts';

const subject = 'updates';
const DAY_MS = 24 * 3600 * 1000;
const OLD_MS = 7 * DAY_MS;
const NAMED = 8;
/** Where apt notes when its lists were brought up to date; the first that is there. */
const STAMPS = ['/var/lib/apt/periodic/update-success-stamp', '/var/lib/apt/lists/partial', '/var/lib/apt/lists'];

export async function checkUpdates(host: Host, signal: AbortSignal, now: number): Promise<readonly Finding[]> {
  const program = await host.which('apt-get');
  if (program === undefined) return [unknown('there is no apt-get on this host')];
  const listed = (await host.files.list('/var/lib/apt/lists')).some((name) => name.includes('_dists_'));
  if (!listed) return [unknown('apt has no package lists', 'run: apt-get update')];
  try {
    const argv = [program, '-s', '-q', '-o', 'Debug::NoLocking=true', 'dist-upgrade'] as const;
    const { code, stdout } = await host.run({
      argv: [...argv],
      env: { PATH: '/usr/sbin:/usr/bin:/sbin:/bin', LC_ALL: 'C' },
      timeoutMs: 60_000,
      maxOutput: 4 * 1024 * 1024,
      signal,
    });
    if (code !== 0) return [unknown(`apt-get -s ended with status ${code}`)];
    return judgeUpdates(stdout, await ageOfLists(now));
  } catch (thrown) {
    signal.throwIfAborted();
    return [unknown(thrown instanceof Error ? thrown.message : 'apt-get could not be asked')];
  }
}

/** simulated: what "apt-get -s dist-upgrade" says. ageMs: undefined when nobody knows. */
export function judgeUpdates(simulated: string, ageMs: number | undefined): readonly Finding[] {
  const lines = [...simulated.matchAll(/^Inst (\S+) (?:\[[^\]]*\] )?\(([^)]*)\)/gm)];
  const security = lines.filter(([, , from = '']) => /security/i.test(from)).map(([, name = '']) => name);
  const findings: Finding[] = [];
  if (security.length > 0) {
    const more = security.length > NAMED ? ', …' : '';
    const names = security.slice(0, NAMED).join(', ');
    const text = `${security.length} security ${security.length === 1 ? 'update waits' : 'updates wait'}: ${names}${more}`;
    findings.push({ subject, code: 'updates.security', level: 'warning', text, advice: 'run: apt-get upgrade' });
  } else {
    const text = `no security updates wait, by apt's own lists; ${lines.length} others do`;
    findings.push({ subject, code: 'updates.security', level: 'ok', text });
  }
  if (ageMs === undefined || ageMs > OLD_MS) {
    const age = ageMs === undefined ? 'of an age that nobody knows' : `${Math.floor(ageMs / DAY_MS)} days old`;
    const text = `the package lists are ${age}: newer updates are not known`;
    findings.push({ subject, code: 'updates.lists', level: 'warning', text, advice: 'run: apt-get update' });
  }
  return findings;
}

function unknown(why: string, advice?: string): Finding {
  const text = `not known whether security updates wait: ${why}`;
  return { subject, code: 'updates.unknown', level: 'info', text, ...(advice === undefined ? {} : { advice }) };
}

async function ageOfLists(now: number): Promise<number | undefined> {
  for (const path of STAMPS) {
    const found = await stat(path).catch(() => undefined);
    if (found !== undefined) return Math.max(0, now - found.mtimeMs);
  }
  return undefined;
}

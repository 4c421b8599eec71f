// How long the versions of a server are maintained: its system, its kernel, its programs. Pure. What the table does not
// know is said to be unknown, never to be fine.
import type { HostFacts } from '../../shared/gen/aegir/v1/agent.ts';
import type { ServiceRecord } from '../store/model.ts';
import { DEBIAN, LIFETIMES, type Release } from './end-of-life.ts';
import { finding, type ReportFinding } from './finding.ts';

/** Days before an end in which it is told. */
const NOTICE_DAYS = 90;
const UPGRADE = 'plan the upgrade';

export function judgeVersions(
  facts: HostFacts,
  services: readonly ServiceRecord[],
  now: number,
): readonly ReportFinding[] {
  const release = releaseOf(facts.os);
  const seen = new Set<string>();
  const programs = services.filter(({ detected, engine, state }) => {
    const key = `${engine} ${detected.version}`;
    // What is nobody's daemon, or a means of ours, has no version of its own.
    if (state === 'missing' || detected.version === '' || seen.has(key) || !isProgram(engine)) return false;
    seen.add(key);
    return true;
  });
  return [
    judgeSystem(facts.os, release, now),
    judgeKernel(facts.kernel, release),
    ...programs.map(({ engine, detected }) => judgeProgram(engine, detected.version, release, now)),
  ];
}

function isProgram(engine: string): boolean {
  return Object.hasOwn(LIFETIMES, engine) || ['powerdns', 'nats', 'haproxy'].includes(engine);
}

function releaseOf(os: string): Release | undefined {
  const number = /^Debian GNU\/Linux (\d+)/.exec(os)?.[1];
  return number !== undefined && Object.hasOwn(DEBIAN.releases, number) ? DEBIAN.releases[number] : undefined;
}

function judgeSystem(os: string, release: Release | undefined, now: number): ReportFinding {
  const code = 'version.system';
  if (release === undefined) {
    return finding('version', 'info', 'version.unknown', os, 'not known how long it is maintained', {
      advice: 'see what its distributor says',
    });
  }
  if (now < after(release.ends)) {
    const soon = isSoon(release.ends, now);
    return finding('version', soon ? 'warning' : 'ok', code, os, `maintained until ${release.ends}`, {
      advice: soon ? UPGRADE : '',
    });
  }
  if (now < after(release.ltsEnds)) {
    const text = `by long-term support until ${release.ltsEnds}, which leaves packages out; its security team ended on ${release.ends}`;
    return finding('version', isSoon(release.ltsEnds, now) ? 'warning' : 'info', code, os, text, { advice: UPGRADE });
  }
  const text = `no security updates since ${release.ltsEnds}`;
  return finding('version', 'error', code, os, text, { advice: 'move its sites to a newer system, or upgrade it' });
}

function judgeKernel(kernel: string, release: Release | undefined): ReportFinding {
  // As Debian names its own: 6.1.0-18-amd64.
  const own = release !== undefined && /^\d+\.\d+\.\d+-\d+-[a-z0-9]+$/.test(kernel);
  if (own) return finding('version', 'ok', 'version.kernel', `kernel ${kernel}`, 'maintained with its system');
  const text = 'not known how long it is maintained: it is none of those that Debian names as its own';
  return finding('version', 'info', 'version.unknown', `kernel ${kernel}`, text);
}

function judgeProgram(engine: string, version: string, release: Release | undefined, now: number): ReportFinding {
  const subject = `${engine} ${version}`;
  const code = 'version.program';
  const shipped = release?.ships[engine];
  if (release !== undefined && shipped !== undefined && isOf(version, shipped) && now < after(release.ltsEnds)) {
    const until = now < after(release.ends) ? release.ends : release.ltsEnds;
    const text = `maintained by Debian ${release.name} as long as that is, until ${until}, if it is Debian's package`;
    return finding('version', 'ok', code, subject, text);
  }
  const lifetimes = Object.hasOwn(LIFETIMES, engine) ? LIFETIMES[engine] : undefined;
  const [, ends] = Object.entries(lifetimes?.ends ?? {}).find(([series]) => isOf(version, series)) ?? [];
  if (lifetimes === undefined || ends === undefined) {
    const text = `not known how long it is maintained: the table of ${lifetimes?.read ?? DEBIAN.read} does not have it`;
    return finding('version', 'info', 'version.unknown', subject, text, { advice: 'see what its project says' });
  }
  if (ends === 'none') return finding('version', 'ok', code, subject, 'maintained, with no end announced');
  if (now >= after(ends)) {
    const text = `no security fixes by its project since ${ends}`;
    return finding('version', 'warning', code, subject, text, { advice: 'upgrade it' });
  }
  const soon = isSoon(ends, now);
  return finding('version', soon ? 'warning' : 'ok', code, subject, `maintained until ${ends}`, {
    advice: soon ? UPGRADE : '',
  });
}

/** 10.11.6 is of 10.11, 15.8 of 15; 10.1 is not of 10.11. */
function isOf(version: string, series: string): boolean {
  const numbers = /\d+(?:\.\d+)*/.exec(version)?.[0] ?? '';
  return numbers === series || numbers.startsWith(`${series}.`);
}

/** The day itself is the last one. */
function after(day: string): number {
  return Date.parse(`${day}T00:00:00Z`) + 86_400_000;
}

function isSoon(day: string, now: number): boolean {
  return after(day) - now < NOTICE_DAYS * 86_400_000;
}

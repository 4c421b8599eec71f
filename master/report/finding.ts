// What a report of server verify is made of. Pure; findings are JSON, since they are kept with the task's steps.

export const GROUPS = ['host', 'agent', 'service', 'version', 'port', 'graph', 'certificate', 'site'] as const;
export type Group = (typeof GROUPS)[number];

export const SEVERITIES = ['error', 'warning', 'info', 'ok'] as const;
export type Severity = (typeof SEVERITIES)[number];

export type ReportFinding = {
  readonly group: Group;
  readonly severity: Severity;
  /** Stable over releases. */
  readonly code: string;
  readonly subject: string;
  /** What was seen, and why it matters. */
  readonly text: string;
  /** What to do; '' for nothing. */
  readonly advice: string;
  /** What was changed, or would be. */
  readonly changes: readonly string[];
  readonly repaired: boolean;
};

export type ServerReport = {
  readonly serverId: string;
  readonly madeAt: number;
  readonly checkOnly: boolean;
  readonly findings: readonly ReportFinding[];
  /** Of those that were left out since there were too many. */
  readonly leftOut: number;
  readonly errors: number;
  readonly warnings: number;
  readonly repaired: number;
  /** What the next report compares with. */
  readonly seen: Seen;
};

export type Seen = {
  readonly addresses: readonly string[];
  /** By service id. */
  readonly versions: { readonly [serviceId: string]: string };
};

const MAX_FINDINGS = 1000;
const MAX_CHANGES = 50;
const MAX_TEXT = 1000;

export function finding(
  group: Group,
  severity: Severity,
  code: string,
  subject: string,
  text: string,
  more: { readonly advice?: string; readonly changes?: readonly string[]; readonly repaired?: boolean } = {},
): ReportFinding {
  const changes = (more.changes ?? []).slice(0, MAX_CHANGES).map((change) => change.slice(0, MAX_TEXT));
  return {
    ...{ group, severity, code, subject: subject.slice(0, MAX_TEXT), text: text.slice(0, MAX_TEXT) },
    ...{ advice: (more.advice ?? '').slice(0, MAX_TEXT), changes, repaired: more.repaired ?? false },
  };
}

/** What is still wrong. */
export function isOpen({ repaired }: ReportFinding): boolean {
  return !repaired;
}

/** By group, in each the worst first, then by subject. What is over the limit is the least grave. */
export function makeReport(
  about: Pick<ServerReport, 'serverId' | 'madeAt' | 'checkOnly' | 'seen'>,
  found: readonly ReportFinding[],
): ServerReport {
  const rank = (each: ReportFinding) => (each.repaired ? 1.5 : SEVERITIES.indexOf(each.severity));
  const kept = [...found].sort((a, b) => rank(a) - rank(b)).slice(0, MAX_FINDINGS);
  const by = (a: ReportFinding, b: ReportFinding) =>
    GROUPS.indexOf(a.group) - GROUPS.indexOf(b.group) ||
    rank(a) - rank(b) ||
    compare(a.subject, b.subject) ||
    compare(a.code, b.code);
  const count = (severity: Severity) => found.filter((each) => isOpen(each) && each.severity === severity).length;
  return {
    ...about,
    findings: kept.sort(by),
    leftOut: found.length - kept.length,
    ...{ errors: count('error'), warnings: count('warning'), repaired: found.filter((each) => each.repaired).length },
  };
}

function compare(a: string, b: string): number {
  return a < b ? -1 : a > b ? 1 : 0;
}

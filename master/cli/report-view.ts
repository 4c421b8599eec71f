// The report of a server as people read it: by group, the worst first, and how old it is.
import { type ReportFinding, ServerReport } from '../../shared/gen/aegir/v1/admin.ts';
import { type Out, printData, safe, when } from './output.ts';

const TITLES: Readonly<Record<string, string>> = {
  host: 'Host',
  agent: 'Agent',
  service: 'Services',
  version: 'Versions',
  port: 'Ports',
  graph: 'What is there',
  certificate: 'Certificates',
  site: 'Sites',
};

export function printReport(out: Out, report: ServerReport, now: number): void {
  if (out.format === 'table') out.stdout.write(renderReport(report, now));
  else printData(out, ServerReport.toJSON(report));
}

export function renderReport(report: ServerReport, now: number): string {
  const { server, madeAt, checkOnly, findings, leftOut } = report;
  const lines = [`Report of ${server}, ${when(madeAt)} (${age(now - (madeAt?.getTime() ?? now))}), ${report.taskId}`];
  let group = '';
  for (const found of findings) {
    if (found.group !== group) lines.push('', TITLES[found.group] ?? found.group);
    group = found.group;
    lines.push(`  ${word(found).padEnd(8)}  ${found.subject}: ${found.text}`);
    for (const change of found.changes) lines.push(`            ${checkOnly ? '~' : '+'} ${change}`);
    if (found.advice !== '') lines.push(`            → ${found.advice}`);
  }
  if (leftOut > 0) lines.push('', `… and ${leftOut} more, none of them graver`);
  lines.push('', total(report));
  return `${lines.map(safe).join('\n')}\n`;
}

function word({ repaired, severity }: ReportFinding): string {
  return repaired ? 'repaired' : severity;
}

function total({ errors, warnings, repaired, checkOnly }: ServerReport): string {
  const count = (n: number, what: string) => `${n === 0 ? 'no' : n} ${what}${n === 1 ? '' : 's'}`;
  const done = checkOnly
    ? 'nothing was to be repaired'
    : repaired === 0
      ? 'nothing was repaired'
      : `${repaired} repaired`;
  return `${count(errors, 'error')}, ${count(warnings, 'warning')}; ${done}`;
}

function age(ms: number): string {
  const minutes = Math.floor(ms / 60_000);
  if (minutes < 1) return 'just now';
  if (minutes < 120) return `${minutes} minutes ago`;
  const hours = Math.floor(minutes / 60);
  return hours < 48 ? `${hours} hours ago` : `${Math.floor(hours / 24)} days ago`;
}

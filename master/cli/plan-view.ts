// A plan as people read it before anything is done.
import { Plan } from '../../shared/gen/aegir/v1/admin.ts';
import { displayNames } from '../../shared/name.ts';
import { type Out, printData, safe } from './output.ts';

export function printPlan(out: Out, plan: Plan | undefined): void {
  if (plan === undefined) return;
  if (out.format !== 'table') {
    printData(out, Plan.toJSON(plan));
    return;
  }
  out.stdout.write(renderPlan(plan));
}

export function renderPlan(plan: Plan): string {
  const lines = [`Plan: ${displayNames(plan.summary)}`];
  if (plan.steps.length === 0) lines.push('  Nothing to do.');
  for (const [index, step] of plan.steps.entries()) {
    lines.push(`  ${String(index + 1).padStart(2)}. ${displayNames(step.summary)}`);
    for (const change of step.changes) lines.push(`        ~ ${displayNames(change)}`);
    if (step.previewNote !== '')
      lines.push(
        step.refused ? `        ! ${displayNames(step.previewNote)}` : `        (${displayNames(step.previewNote)})`,
      );
    const forward = plan.pointOfNoReturn === index ? 'from here on it only goes forward' : '';
    if (step.undo !== '') lines.push(`        undo: ${step.undo}`, ...(forward === '' ? [] : [`        ${forward}`]));
    else lines.push(`        undo: none, ${forward || step.noUndoReason}`);
  }
  for (const warning of plan.warnings) lines.push(`  Warning: ${displayNames(warning)}`);
  return `${lines.map(safe).join('\n')}\n`;
}

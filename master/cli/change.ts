// What every changing command does with its answer: show the plan, or follow the task and give its messages.
import type { Command } from 'commander';
import { AegirError } from '../../shared/error.ts';
import type { ChangeResponse } from '../../shared/gen/aegir/v1/admin.ts';
import { ChangeResponse as ChangeResponseMessage, Task } from '../../shared/gen/aegir/v1/admin.ts';
import { Message } from '../../shared/gen/aegir/v1/event.ts';
import { displayName } from '../../shared/name.ts';
import type { Connection } from './connection.ts';
import { type Out, people, printData, safe, when } from './output.ts';
import { printPlan } from './plan-view.ts';
import type { Cli, GlobalOptions } from './session.ts';
import { watchTask } from './watch.ts';

export interface ChangeFlags extends GlobalOptions {
  readonly plan?: boolean;
  readonly wait: boolean;
  readonly verbose?: boolean;
  readonly yes?: boolean;
  readonly key?: string;
}

export function withChangeFlags(command: Command): Command {
  return command
    .option('--plan', 'only show what would be done')
    .option('--no-wait', 'answer with the task id at once instead of following the task')
    .option('-v, --verbose', 'show the log of the task too')
    .option('--key <key>', 'idempotency key: repeating a call with it does nothing twice');
}

export function changeOptions(flags: ChangeFlags) {
  return { planOnly: flags.plan === true, idempotencyKey: flags.key ?? '' };
}

/** Of what is done at once, without a task. */
export interface AtOnceFlags extends GlobalOptions {
  readonly plan?: boolean;
  readonly yes?: boolean;
}

export function withPlan(command: Command): Command {
  return command.option('--plan', 'only show what would be done');
}

export function planOptions(flags: AtOnceFlags) {
  return { planOnly: flags.plan === true, idempotencyKey: '' };
}

/** Follows a change. Throws when the task ended in anything but success, so that the exit code tells. */
export async function followChange(
  cli: Cli,
  flags: ChangeFlags,
  call: (connection: Connection) => Promise<ChangeResponse>,
): Promise<void> {
  await cli.connected(flags, async (connection, out) => {
    const answer = await call(connection);
    if (flags.plan === true) {
      printPlan(out, answer.plan);
      const refused = answer.plan?.steps.findIndex((step) => step.refused) ?? -1;
      if (refused < 0) return;
      const why = answer.plan?.steps[refused]?.previewNote ?? '';
      throw new AegirError('failed_precondition', `cannot do that: step ${refused + 1} would be ${why}`);
    }
    for (const warning of answer.plan?.warnings ?? []) out.stderr.write(`Warning: ${people(warning)}\n`);
    if (answer.taskId === '') {
      out.stderr.write(`${people(answer.plan?.summary ?? 'Nothing to do.')}\n`);
      if (out.format !== 'table') printData(out, ChangeResponseMessage.toJSON(answer));
      return;
    }
    if (!flags.wait) {
      if (out.format === 'table') out.stdout.write(`${safe(answer.taskId)}\n`);
      else printData(out, ChangeResponseMessage.toJSON(answer));
      return;
    }
    // What a verify mended, a test found, or a cron printed, is what it is for.
    const tellsAll = flags.verbose === true || /\.(verify|test|cron)$/.test(answer.plan?.verb ?? '');
    await follow(connection, out, answer.taskId, tellsAll);
  });
}

/** The task as it ended; its messages are left to whoever asked. Throws nothing for a task that failed: see mustSucceed. */
export async function followQuietly(connection: Connection, out: Out, taskId: string, verbose: boolean): Promise<Task> {
  return (await watchTask(connection, out, taskId, verbose)).task;
}

export function mustSucceed(task: Task): void {
  if (task.state !== 'succeeded') throw new AegirError('failed_precondition', ended(task));
}

export async function follow(connection: Connection, out: Out, taskId: string, verbose: boolean): Promise<void> {
  const { task, messages } = await watchTask(connection, out, taskId, verbose);
  if (out.format !== 'table')
    printData(out, { task: Task.toJSON(task), messages: messages.map((message) => Message.toJSON(message)) });
  else {
    for (const message of messages) {
      if (message.kind === 'todo') continue;
      const label = message.kind === 'warning' ? 'Warning: ' : '';
      const ends = message.expiresAt === undefined ? '' : ` (until ${when(message.expiresAt)})`;
      out.stdout.write(`${label}${people(message.text)}${ends}\n`);
      if (message.value !== '') out.stdout.write(`  ${safe(message.value)}\n`);
    }
  }
  if (task.state === 'succeeded') {
    out.stderr.write(`${task.verb} ${safe(displayName(task.subject))}: done\n`);
    return;
  }
  throw new AegirError('failed_precondition', ended(task));
}

function ended(task: Task): string {
  const why = task.reason === '' ? '' : `: ${task.reason}`;
  const what = `${task.verb} ${displayName(task.subject)}`;
  const began = task.steps.some(({ attempts }) => attempts > 0);
  const undone = began && task.plan?.steps.some((step) => step.undo !== '') === true ? ' and was undone' : '';
  switch (task.state) {
    case 'failed':
      // What came with secrets, which are kept nowhere, only the person can ask again.
      return `${what} failed${undone}${why}; ${task.retriable ? `after mending the cause: aegir task retry ${task.id}` : 'mend the cause and ask again'}`;
    case 'cancelled':
      return `${what} was cancelled${undone}`;
    case 'stuck':
      return (
        `${what} is stuck${why}; after mending the cause: aegir task retry ${task.id}, ` +
        `or give it up: aegir task cancel ${task.id}`
      );
    default:
      return `${what} is ${task.state}${why}`;
  }
}

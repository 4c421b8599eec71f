// aegir task …
import type { Command } from 'commander';
import { TaskServiceService as api, Task } from '../../../shared/gen/aegir/v1/admin.ts';
import { Event } from '../../../shared/gen/aegir/v1/event.ts';
import { displayName, displayNames } from '../../../shared/name.ts';
import { type ChangeFlags, follow, followChange } from '../change.ts';
import { wholeNumber } from '../number.ts';
import { bytes, type Column, people, printData, printList, printOne, renderJson, safe, when } from '../output.ts';
import type { Cli, GlobalOptions } from '../session.ts';

const COLUMNS: readonly Column<Task>[] = [
  { title: 'task', value: (task) => task.id },
  { title: 'verb', value: (task) => task.verb },
  { title: 'subject', value: (task) => displayName(task.subject) },
  { title: 'state', value: (task) => task.state },
  { title: 'by', value: (task) => task.actor },
  { title: 'asked', value: (task) => when(task.createdAt) },
  { title: 'why', value: (task) => displayNames(task.reason) },
];

const DETAILS: readonly Column<Task>[] = [
  { title: 'Task', value: (task) => task.id },
  { title: 'What', value: (task) => displayNames(task.plan?.summary ?? task.verb) },
  {
    title: 'State',
    value: (task) => task.state + (task.cancelRequested && task.finishedAt === undefined ? ', cancel asked for' : ''),
  },
  { title: 'Why', value: (task) => displayNames(task.reason) },
  { title: 'Waits for', value: (task) => task.behind },
  { title: 'By', value: (task) => task.actor },
  { title: 'Asked', value: (task) => when(task.createdAt) },
  { title: 'Ended', value: (task) => when(task.finishedAt) },
  {
    title: 'Copied',
    value: ({ copied }) =>
      copied === undefined ? '' : `${bytes(copied.siteBytes)}; ${bytes(copied.sentBytes)} travelled in all`,
  },
  { title: 'Goes on', value: (task) => (task.resumeAt === undefined ? '' : when(task.resumeAt)) },
];

export function taskCommand(cli: Cli, program: Command): void {
  const noun = program.command('task').description('what is being done, and was');

  noun
    .command('list')
    .description('list tasks, newest first')
    .option('--state <state>', 'only in this state')
    .option('--subject <name>', 'only about this site, server, platform, …; id for what is gone')
    .option('--limit <n>', 'how many', '50')
    .action(async (_, command: Command) => {
      const flags = command.optsWithGlobals<GlobalOptions & { state?: string; subject?: string; limit: string }>();
      await cli.connected(flags, async (link, out) => {
        const pageSize = Number(wholeNumber(flags.limit, '--limit'));
        const answer = await link.call(api.listTasks, {
          pageSize,
          pageToken: '',
          state: flags.state ?? '',
          subjectId: flags.subject ?? '',
        });
        printList(out, answer.tasks, Task.toJSON, COLUMNS, 'No tasks.');
      });
    });

  noun
    .command('show <task>')
    .description('show one task with its steps')
    .action(async (taskId: string, _, command: Command) => {
      await cli.connected(command.optsWithGlobals<GlobalOptions>(), async (link, out) => {
        const task = await link.call(api.getTask, { taskId });
        printOne(out, task, Task.toJSON, DETAILS);
        if (out.format !== 'table') return;
        for (const [index, step] of task.steps.entries()) {
          const error = step.error === '' ? '' : `\n      ${people(step.error)}`;
          out.stdout.write(
            `  ${index + 1}. ${step.state.replace('_', ' ').padEnd(8)} ${people(task.plan?.steps[index]?.summary ?? '')}${error}\n`,
          );
        }
      });
    });

  noun
    .command('watch <task>')
    .description('follow a task to its end')
    .option('-v, --verbose', 'show its log too')
    .action(async (task: string, _, command: Command) => {
      const flags = command.optsWithGlobals<GlobalOptions & { verbose?: boolean }>();
      await cli.connected(flags, (link, out) => follow(link, out, task, flags.verbose === true));
    });

  noun
    .command('log <task>')
    .description(
      'print everything that happened in a task so far, and go on until it ends (Ctrl-C: the task goes on); with -o json one event a line',
    )
    .action(async (taskId: string, _, command: Command) => {
      await cli.connected(command.optsWithGlobals<GlobalOptions>(), async (link, out) => {
        const { state, finishedAt } = await link.call(api.getTask, { taskId });
        if (finishedAt === undefined)
          out.stderr.write(`The task is ${state}: this goes on until it ends. Ctrl-C ends this alone.\n`);
        for await (const event of link.stream(api.watchTask, { taskId, afterSeq: 0n })) {
          if (out.format === 'table') out.stdout.write(`${line(event)}\n`);
          else if (out.format === 'json') out.stdout.write(renderJson(Event.toJSON(event)));
          else printData(out, [Event.toJSON(event)]);
        }
      });
    });

  noun
    .command('cancel <task>')
    .description('ask a task to stop and undo')
    .action(async (taskId: string, _, command: Command) => {
      await cli.connected(command.optsWithGlobals<GlobalOptions>(), async (link, out) =>
        printOne(out, await link.call(api.cancelTask, { taskId }), Task.toJSON, DETAILS),
      );
    });

  noun
    .command('skip-wait <task>')
    .description(
      'have a move that waits for DNS, or for late visitors of the old server, go on without, in a minute at most',
    )
    .action(async (taskId: string, _, command: Command) => {
      await cli.connected(command.optsWithGlobals<GlobalOptions>(), async (link, out) =>
        printOne(out, await link.call(api.skipWait, { taskId }), Task.toJSON, DETAILS),
      );
    });

  noun
    .command('retry <task>')
    .description('go on with a stuck task, or start one that was undone anew')
    .option('--no-wait', 'do not follow it')
    .option('-v, --verbose', 'show its log too')
    .action(async (taskId: string, _, command: Command) => {
      const flags = command.optsWithGlobals<ChangeFlags>();
      await followChange(cli, flags, (link) => link.call(api.retryTask, { taskId }));
    });
}

function line(event: Event): string {
  const time = event.time?.toISOString() ?? '';
  const step = event.step === undefined ? '     ' : `[${String(event.step + 1).padStart(2)}] `;
  const { body } = event;
  if (body?.$case === 'log') return safe(`${time} ${step}${body.value.level}: ${body.value.text}`);
  if (body?.$case === 'progress')
    return safe(`${time} ${step}${Math.round(body.value.fraction * 100)}% ${body.value.label}`);
  if (body?.$case === 'state')
    return safe(
      `${time} ${step}${body.value.from} -> ${body.value.to}${body.value.reason === '' ? '' : `: ${body.value.reason}`}`,
    );
  if (body?.$case === 'message')
    return safe(`${time} ${step}${body.value.kind}: ${body.value.text} ${body.value.value}`.trimEnd());
  return safe(`${time} ${step}`);
}

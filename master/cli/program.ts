// The command line as a whole: nouns, global options, and how failures become exit codes.
import { Command, CommanderError } from 'commander';
import { type AegirError, toAegirError } from '../../shared/error.ts';
import { apiCommand } from './command/api.ts';
import { auditCommand } from './command/audit.ts';
import { backupCommand } from './command/backup.ts';
import { clientCommand } from './command/client.ts';
import { clusterCommand } from './command/cluster.ts';
import { completionCommand } from './command/completion.ts';
import { contextCommand } from './command/context.ts';
import { graphCommand } from './command/graph.ts';
import { meshCommand } from './command/mesh.ts';
import { moveCommand } from './command/move.ts';
import { platformCommand } from './command/platform.ts';
import { serverCommand } from './command/server.ts';
import { serviceCommand } from './command/service.ts';
import { siteCommand } from './command/site.ts';
import { taskCommand } from './command/task.ts';
import { tokenCommand } from './command/token.ts';
import { recordCommand, zoneCommand } from './command/zone.ts';
import { people } from './output.ts';
import type { Cli } from './session.ts';

/** 0 done; 1 the call or the task failed; 2 wrong usage; 3 not authorised; 4 the master was not reached. */
export const EXIT = { ok: 0, failed: 1, usage: 2, denied: 3, unreachable: 4 } as const;

export function createProgram(cli: Cli, version: string): Command {
  const program = new Command('aegir')
    .description('Runs many websites on many servers.')
    .version(version)
    .option('-o, --output <format>', 'table, json or yaml', 'table')
    .option('--context <name>', 'which master to talk to')
    .addHelpText('after', `\nExit codes: 0 done, 1 failed, 2 wrong usage, 3 not authorised, 4 master not reached.\n`)
    .exitOverride()
    .configureOutput({
      writeOut: (text) => cli.stdout.write(text),
      writeErr: (text) => cli.stderr.write(text),
      getOutHasColors: () => false,
      getErrHasColors: () => false,
    });
  const nouns = [
    serverCommand,
    serviceCommand,
    platformCommand,
    siteCommand,
    backupCommand,
    clusterCommand,
    zoneCommand,
    recordCommand,
    clientCommand,
    meshCommand,
    moveCommand,
    taskCommand,
    tokenCommand,
    auditCommand,
    graphCommand,
    contextCommand,
    apiCommand,
    completionCommand,
  ];
  for (const noun of nouns) noun(cli, program);
  inherit(program);
  return program;
}

/** Sub-commands throw instead of exiting, too. */
function inherit(command: Command): void {
  for (const sub of command.commands) {
    sub.exitOverride();
    inherit(sub);
  }
}

/** Runs one command line; answers the exit code. */
export async function runProgram(
  program: Command,
  argv: readonly string[],
  stderr: NodeJS.WriteStream,
): Promise<number> {
  try {
    await program.parseAsync([...argv], { from: 'user' });
    return EXIT.ok;
  } catch (thrown) {
    // Commander has printed its own words already; help is no error.
    if (thrown instanceof CommanderError) return thrown.exitCode === 0 ? EXIT.ok : EXIT.usage;
    const error = toAegirError(thrown, 'run the command');
    stderr.write(`aegir: ${people(error.message)}\n`);
    return exitCode(error);
  }
}

function exitCode(error: AegirError): number {
  switch (error.code) {
    case 'invalid_argument':
      return EXIT.usage;
    case 'unauthenticated':
    case 'permission_denied':
      return EXIT.denied;
    case 'unavailable':
      return EXIT.unreachable;
    default:
      return EXIT.failed;
  }
}

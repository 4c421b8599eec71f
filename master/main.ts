// The master's program: run, and install it as a service.
import { Command, CommanderError } from 'commander';
import { AegirError, toAegirError } from '../shared/error.ts';
import { VERSION } from '../shared/version.ts';
import { readMasterConfig } from './config.ts';
import { DEFAULT_CONFIG, install } from './install.ts';

function listenForStop(): Promise<string> {
  return new Promise((resolve) => {
    for (const signal of ['SIGTERM', 'SIGINT'] as const) process.on(signal, resolve);
  });
}

function createProgram(): Command {
  const program = new Command('aegir-master')
    .description('The master of Aegir: holds the graph, and drives servers through their agents.')
    .version(VERSION)
    .exitOverride()
    .option('--config <file>', 'its configuration', DEFAULT_CONFIG)
    .action(async ({ config }: { config: string }) => {
      const settings = readMasterConfig(config);
      const stop = listenForStop();
      // Only the running master needs all that it wires.
      const { run } = await import('./run.ts');
      await run(settings, stop);
    });
  program
    .command('install')
    .description('install this binary as a service on this host and start it; may be repeated')
    .option('--advertise <host...>', 'names or IP addresses by which agents and people reach it, the best one first')
    .action(async ({ advertise }: { advertise?: readonly string[] }) => {
      await install({ advertise: advertise ?? [], say: (line) => process.stdout.write(`${line}\n`) });
    });
  return program;
}

async function main(argv: readonly string[]): Promise<number> {
  try {
    await createProgram().parseAsync(argv, { from: 'user' });
    return 0;
  } catch (thrown) {
    if (thrown instanceof CommanderError) return thrown.exitCode === 0 ? 0 : 2;
    const error = toAegirError(thrown, 'run the master');
    process.stderr.write(`aegir-master: ${error.message}\n`);
    if (!(thrown instanceof AegirError))
      process.stderr.write(`${thrown instanceof Error ? thrown.stack : String(thrown)}\n`);
    return 1;
  }
}

void main(process.argv.slice(2)).then((code) => process.exit(code));

// aegir context …
import type { Command } from 'commander';
import { AegirError } from '../../../shared/error.ts';
import { plainName } from '../../../shared/name.ts';
import { contextsPath, readContexts, writeContexts } from '../context.ts';
import { type Column, printList } from '../output.ts';
import { readNamed } from '../read-file.ts';
import type { Cli, GlobalOptions } from '../session.ts';

interface Row {
  readonly name: string;
  readonly address: string;
  readonly current: boolean;
}

const COLUMNS: readonly Column<Row>[] = [
  { title: 'current', value: (row) => (row.current ? '*' : '') },
  { title: 'name', value: (row) => row.name },
  { title: 'address', value: (row) => row.address },
];

export function contextCommand(cli: Cli, program: Command): void {
  const noun = program.command('context').description('which master to talk to, and as whom');
  const path = () => contextsPath(cli.env);

  noun
    .command('list')
    .description('list contexts')
    .action((_, command: Command) => {
      const known = readContexts(path());
      const rows = Object.entries(known.contexts).map(([name, { address }]) => ({
        name,
        address,
        current: name === known.current,
      }));
      printList(
        cli.out(command.optsWithGlobals<GlobalOptions>()),
        rows,
        (row) => row,
        COLUMNS,
        'No contexts yet; see: aegir context add --help',
      );
    });

  noun
    .command('add <name>')
    .description('add or replace a context and use it')
    .requiredOption('--address <host:port>', 'Admin API of the master')
    .requiredOption('--ca <file>', 'CA certificate of the master, PEM')
    .requiredOption('--token-file <file>', 'file with the API token; - for standard input')
    .action((name: string, flags: { address: string; ca: string; tokenFile: string }) => {
      const context = {
        address: flags.address,
        ca: readNamed(flags.ca, '--ca'),
        token: readNamed(flags.tokenFile, '--token-file').trim(),
      };
      if (!/^[^\s:]+:[0-9]{1,5}$|^\[[0-9a-f:]+\]:[0-9]{1,5}$/i.test(context.address)) {
        throw new AegirError(
          'invalid_argument',
          `cannot use ${JSON.stringify(context.address)} as address: HOST:PORT is needed`,
        );
      }
      if (!context.ca.includes('BEGIN CERTIFICATE'))
        throw new AegirError('invalid_argument', `cannot use ${flags.ca}: it holds no PEM certificate`);
      const known = readContexts(path());
      const plain = plainName(name, 'context name');
      writeContexts(path(), { current: plain, contexts: { ...known.contexts, [plain]: context } });
      cli.stderr.write(`Context ${plain} is the current one now: ${context.address}\n`);
    });

  noun
    .command('use <name>')
    .description('make a context the current one')
    .action((name: string) => {
      const known = readContexts(path());
      if (known.contexts[name] === undefined) {
        throw new AegirError(
          'not_found',
          `cannot use context ${JSON.stringify(name)}: known are ${Object.keys(known.contexts).join(', ') || 'none'}`,
        );
      }
      writeContexts(path(), { ...known, current: name });
      cli.stderr.write(`Context ${name} is the current one now: ${known.contexts[name].address}\n`);
    });

  noun
    .command('remove <name>')
    .description('forget a context with its token')
    .action((name: string) => {
      const known = readContexts(path());
      const { [name]: gone, ...contexts } = known.contexts;
      if (gone === undefined)
        throw new AegirError('not_found', `cannot remove context ${JSON.stringify(name)}: there is none of that name`);
      writeContexts(path(), { current: known.current === name ? '' : known.current, contexts });
      cli.stderr.write(`Context ${name} is forgotten.\n`);
    });
}

// aegir mesh …
import type { Command } from 'commander';
import { ServerServiceService as api } from '../../../shared/gen/aegir/v1/admin.ts';
import { type ChangeFlags, changeOptions, followChange, withChangeFlags } from '../change.ts';
import { sizeInBytes } from '../number.ts';
import type { Cli } from '../session.ts';

export function meshCommand(cli: Cli, program: Command): void {
  const noun = program.command('mesh').description('the ways between servers');
  withChangeFlags(
    noun
      .command('test <sender> <receiver>')
      .description('send bytes from one server to another; says rate and round trip')
      .option('--bytes <size>', 'how many, for example 100M', '1M'),
  ).action(async (sender: string, receiver: string, _, command: Command) => {
    const flags = command.optsWithGlobals<ChangeFlags & { bytes: string }>();
    const bytes = sizeInBytes(flags.bytes, '--bytes');
    await followChange(cli, flags, (link) =>
      link.call(api.testMesh, { sender, receiver, bytes, options: changeOptions(flags) }),
    );
  });
}

// aegir token …
import type { Command } from 'commander';
import { TokenServiceService as api, CreateTokenResponse, Token } from '../../../shared/gen/aegir/v1/admin.ts';
import { listAll } from '../list.ts';
import { durationInSeconds, wholeNumber } from '../number.ts';
import { type Column, printData, printList, printOne, safe, when } from '../output.ts';
import type { Cli, GlobalOptions } from '../session.ts';

const COLUMNS: readonly Column<Token>[] = [
  { title: 'token', value: (token) => token.id },
  { title: 'kind', value: (token) => token.kind },
  { title: 'state', value: (token) => token.state },
  { title: 'role', value: (token) => token.role || '-' },
  { title: 'uses left', value: (token) => (token.kind === 'join' ? String(token.usesLeft) : '-') },
  { title: 'ends', value: (token) => (token.expiresAt === undefined ? 'never' : when(token.expiresAt)) },
  { title: 'for', value: (token) => token.description },
];

interface CreateFlags extends GlobalOptions {
  readonly description: string;
  readonly role?: string;
  readonly uses: string;
  readonly ttl?: string;
  readonly accept?: boolean;
  readonly enable?: string;
}

export function tokenCommand(cli: Cli, program: Command): void {
  const noun = program.command('token').description('leave to join, and leave to use the API');

  noun
    .command('list')
    .description('list tokens, newest first; their values are not kept')
    .action(async (_, command: Command) => {
      await cli.connected(command.optsWithGlobals<GlobalOptions>(), async (link, out) => {
        const tokens = await listAll(
          (page) => link.call(api.listTokens, page),
          (answer) => answer.tokens,
        );
        printList(out, tokens, Token.toJSON, COLUMNS, 'No tokens.');
      });
    });

  noun
    .command('create <kind>')
    .description('create a join or an api token; its value is shown once, alone on stdout')
    .option('--description <text>', 'what it is for', '')
    .option('--role <role>', 'api: viewer, operator or admin')
    .option('--uses <n>', 'join: how many servers may use it', '1')
    .option('--ttl <time>', 'how long it lives, seconds or for example 30d; left out, an hour (join) or for ever (api)')
    .option('--accept', 'join: accept those servers by themselves')
    .option('--enable <types>', 'join: enable their detected services of these types')
    .action(async (kind: string, _, command: Command) => {
      const flags = command.optsWithGlobals<CreateFlags>();
      await cli.connected(flags, async (link, out) => {
        const answer = await link.call(api.createToken, {
          kind,
          description: flags.description,
          role: flags.role ?? '',
          uses: Number(wholeNumber(flags.uses, '--uses')),
          ttlSeconds: flags.ttl === undefined ? 0n : BigInt(durationInSeconds(flags.ttl, '--ttl', false)),
          autoAccept: flags.accept === true,
          autoEnable: (flags.enable ?? '').split(',').filter((word) => word !== ''),
        });
        if (out.format !== 'table') printData(out, CreateTokenResponse.toJSON(answer));
        else out.stdout.write(`${safe(answer.value)}\n`);
      });
    });

  noun
    .command('revoke <token>')
    .description('end a token at once')
    .action(async (tokenId: string, _, command: Command) => {
      await cli.connected(command.optsWithGlobals<GlobalOptions>(), async (link, out) =>
        printOne(out, await link.call(api.revokeToken, { tokenId }), Token.toJSON, COLUMNS),
      );
    });
}

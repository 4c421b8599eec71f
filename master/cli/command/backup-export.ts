// aegir backup export: a backup as one file, on standard output, or where --to says.
import { once } from 'node:events';
import { createWriteStream, existsSync } from 'node:fs';
import { rename, rm, stat } from 'node:fs/promises';
import { finished } from 'node:stream/promises';
import type { Command } from 'commander';
import { byteSize } from '../../../shared/byte-size.ts';
import { AegirError } from '../../../shared/error.ts';
import { BackupServiceService as api } from '../../../shared/gen/aegir/v1/backup_admin.ts';
import type { Connection } from '../connection.ts';
import { unwritten } from '../read-file.ts';
import type { Cli, GlobalOptions } from '../session.ts';

export function exportCommand(cli: Cli, noun: Command): void {
  noun
    .command('export <backup>')
    .description('give a backup out as a .tar.zst on standard output')
    .option('--to <file>', 'into this file, which is there when all of it is')
    .option('--yes', 'replace a file that is there without asking')
    .action(async (backup: string, _, command: Command) => {
      const flags = command.optsWithGlobals<GlobalOptions & { to?: string; yes?: boolean }>();
      if (flags.to === undefined && cli.stdout.isTTY) {
        throw new AegirError(
          'invalid_argument',
          'cannot export a backup to a terminal: say --to FILE, or lead standard output elsewhere',
        );
      }
      if (flags.to !== undefined && existsSync(flags.to)) {
        await cli.confirm(`Replace ${flags.to}?`, flags.yes === true);
      }
      await cli.connected(flags, async (link) => {
        if (flags.to === undefined) await write(link, backup, cli.stdout);
        else {
          await writeFile(link, backup, flags.to);
          cli.stderr.write(`Wrote ${flags.to}, ${byteSize((await stat(flags.to)).size)}\n`);
        }
      });
    });
}

async function writeFile(link: Connection, backup: string, path: string): Promise<void> {
  // So that nobody takes half of one for a backup. It holds all that the site does: for its owner alone.
  const part = `${path}.part`;
  const file = createWriteStream(part, { mode: 0o600 });
  try {
    await once(file, 'open');
    await write(link, backup, file);
    file.end();
    await finished(file);
    await rename(part, path);
  } catch (thrown) {
    file.destroy();
    await rm(part, { force: true });
    throw unwritten(path, thrown);
  }
}

async function write(link: Connection, backup: string, to: NodeJS.WritableStream): Promise<void> {
  for await (const { bytes } of link.stream(api.exportBackup, { backup })) {
    if (!to.write(bytes)) await once(to, 'drain');
  }
}

// aegir audit …
import type { Command } from 'commander';
import { AuditEntry, AuditServiceService as api } from '../../../shared/gen/aegir/v1/admin.ts';
import { wholeNumber } from '../number.ts';
import { type Column, printList, when } from '../output.ts';
import type { Cli, GlobalOptions } from '../session.ts';

const COLUMNS: readonly Column<AuditEntry>[] = [
  { title: 'time', value: ({ time }) => when(time) },
  { title: 'who', value: ({ actor }) => actor },
  { title: 'called', value: ({ method }) => method.replace('/aegir.v1.', '') },
  { title: 'about', value: ({ subject }) => subject },
  { title: 'outcome', value: ({ outcome }) => outcome },
];

export function auditCommand(cli: Cli, program: Command): void {
  program
    .command('audit')
    .description('who called what, and who was denied')
    .command('list')
    .description('list what was called, newest first; calls that only read are not kept')
    .option('--denied', 'only what was denied: strangers without a token, and those without the right')
    .option('--limit <n>', 'how many', '50')
    .action(async (_, command: Command) => {
      const flags = command.optsWithGlobals<GlobalOptions & { denied?: boolean; limit: string }>();
      const limit = Number(wholeNumber(flags.limit, '--limit'));
      await cli.connected(flags, async (link, out) => {
        const records: AuditEntry[] = [];
        for (let pageToken = ''; records.length < limit; ) {
          const pageSize = Math.min(1000, limit - records.length);
          const page = await link.call(api.listAudit, { pageSize, pageToken, denied: flags.denied === true });
          records.push(...page.records);
          pageToken = page.nextPageToken;
          if (pageToken === '') break;
        }
        printList(out, records, AuditEntry.toJSON, COLUMNS, 'Nothing yet.');
      });
    });
}

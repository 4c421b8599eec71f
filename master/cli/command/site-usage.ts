// aegir site usage, and what aegir site show says of cron and use.
import type { Command } from 'commander';
import { timeSpan } from '../../../shared/for-people.ts';
import {
  SiteServiceService as api,
  GetUsageResponse,
  type Site,
  SiteUsage,
  UsageDay,
} from '../../../shared/gen/aegir/v1/admin.ts';
import { displayName } from '../../../shared/name.ts';
import { counted } from '../../../shared/words.ts';
import { duration, wholeNumber } from '../number.ts';
import { bytes, type Column, printData, printList, when } from '../output.ts';
import type { Cli, GlobalOptions } from '../session.ts';

export const CRON_DETAILS: readonly Column<Site>[] = [
  {
    title: 'Cron',
    value: ({ cron }) => {
      if (cron === undefined) return '';
      if (cron.intervalSeconds === 0) return 'off';
      const next = cron.nextAt === undefined ? '' : `, next at ${when(cron.nextAt)} on ${cron.server}`;
      return `every ${duration(cron.intervalSeconds)}${cron.byDefault ? ' (default)' : ''}${next}`;
    },
  },
  {
    title: 'Last cron',
    value: ({ cron }) => {
      if (cron?.lastStartedAt === undefined) return '';
      const failed = cron.failures > 1 ? ` (${cron.failures} times in a row)` : '';
      const took = timeSpan(cron.lastMillis);
      return `${cron.lastOutcome}${failed}, ${when(cron.lastStartedAt)}, ${took}: ${cron.lastText}`;
    },
  },
];

export const USAGE_DETAILS: readonly Column<Site>[] = [
  {
    title: 'Size',
    value: ({ usage }) => {
      if (usage === undefined) return '';
      const { fileBytes, inodes, databaseBytes, logBytes } = usage;
      return [
        fileBytes === undefined ? '' : `files ${bytes(fileBytes)} (${inodes ?? 0n} inodes)`,
        databaseBytes === undefined ? '' : `database ${bytes(databaseBytes)}`,
        logBytes === undefined ? '' : `logs ${bytes(logBytes)}`,
      ]
        .filter((word) => word !== '')
        .join(', ');
    },
  },
  {
    title: 'Traffic',
    value: ({ usage }) =>
      usage === undefined
        ? ''
        : `${counted(usage.requests, 'request')}, ${bytes(usage.bytesSent)} sent in ${counted(usage.days, 'day')}; see: aegir site usage ${displayName(usage.site)}`,
  },
];

type Used = Pick<
  UsageDay,
  'requests' | 'bytesSent' | 'statuses' | 'fileBytes' | 'inodes' | 'logBytes' | 'databaseBytes'
>;

const size = (value: bigint | undefined) => (value === undefined ? '-' : bytes(value));

const USED: readonly Column<Used>[] = [
  { title: 'requests', value: (used) => String(used.requests) },
  { title: 'sent', value: (used) => bytes(used.bytesSent) },
  ...[2, 3, 4, 5].map((first) => ({
    title: `${first}xx`,
    value: (used: Used) => String(used.statuses[first - 1] ?? 0n),
  })),
  { title: 'files', value: (used) => size(used.fileBytes) },
  { title: 'inodes', value: (used) => String(used.inodes ?? '-') },
  { title: 'database', value: (used) => size(used.databaseBytes) },
  { title: 'logs', value: (used) => size(used.logBytes) },
];

const BY_SITE: readonly Column<SiteUsage>[] = [{ title: 'site', value: ({ site }) => displayName(site) }, ...USED];
const BY_DAY: readonly Column<UsageDay>[] = [{ title: 'day (UTC)', value: ({ day }) => day }, ...USED];

export function usageCommand(cli: Cli, noun: Command): void {
  noun
    .command('usage [site]')
    .description('what sites used: requests, traffic, disk; of one site by day')
    .option('--days <n>', 'how many days, today included, at most 400', '30')
    .action(async (site: string | undefined, _, command: Command) => {
      const flags = command.optsWithGlobals<GlobalOptions & { days: string }>();
      const days = Number(wholeNumber(flags.days, '--days'));
      await cli.connected(flags, async (link, out) => {
        const answer = await link.call(api.getUsage, { site: site ?? '', days });
        if (out.format !== 'table') printData(out, GetUsageResponse.toJSON(answer));
        else if (site === undefined) printList(out, answer.sites, SiteUsage.toJSON, BY_SITE, 'No sites yet.');
        else printList(out, answer.days, UsageDay.toJSON, BY_DAY, 'Nothing was measured yet: it is within minutes.');
      });
    });
}

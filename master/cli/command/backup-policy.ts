// aegir backup policy: what is done for backups by itself.
import type { Command } from 'commander';
import { AegirError } from '../../../shared/error.ts';
import { BackupServiceService as api, BackupPolicy } from '../../../shared/gen/aegir/v1/backup_admin.ts';
import { duration, durationInSeconds, wholeNumber } from '../number.ts';
import { type Column, printOne } from '../output.ts';
import type { Cli, GlobalOptions } from '../session.ts';

const KEEPS = ['Last', 'Daily', 'Weekly', 'Monthly', 'Yearly'] as const;

const DETAILS: readonly Column<BackupPolicy>[] = [
  {
    title: 'Policy',
    value: ({ siteId, inherited }) =>
      siteId === '' ? 'of all sites without one of their own' : inherited ? 'the one of all sites' : 'its own',
  },
  {
    title: 'Backups',
    value: ({ everySeconds }) => (everySeconds === 0 ? 'none by itself' : `every ${duration(everySeconds)}`),
  },
  { title: 'On', value: ({ service }) => service || 'the only file service there is' },
  {
    title: 'Kept',
    value: (policy) => {
      const counts = { last: policy.keepLast, daily: policy.keepDaily, weekly: policy.keepWeekly };
      const more = { monthly: policy.keepMonthly, yearly: policy.keepYearly };
      const told = Object.entries({ ...counts, ...more }).filter(([, count]) => count > 0);
      return told.map(([word, count]) => `${count} ${word}`).join(', ') || 'all';
    },
  },
  {
    title: 'Drills',
    value: ({ drillEverySeconds, drillServer }) =>
      drillEverySeconds === 0
        ? 'none by itself'
        : `every ${duration(drillEverySeconds)}, on ${drillServer || "the site's own services"}`,
  },
];

interface PolicyFlags extends GlobalOptions {
  readonly every?: string;
  readonly service?: string;
  readonly keepLast?: string;
  readonly keepDaily?: string;
  readonly keepWeekly?: string;
  readonly keepMonthly?: string;
  readonly keepYearly?: string;
  readonly drillEvery?: string;
  readonly drillServer?: string;
  readonly inherit?: boolean;
}

export function policyCommand(cli: Cli, noun: Command): void {
  const command = noun
    .command('policy [site]')
    .description('show or change what is done by itself: for one site, or for all that have no policy of their own')
    .option('--every <time>', 'time between two backups, 15m to 31d; off for none')
    .option('--service <service>', 'where they go; "" for the only file service there is');
  for (const word of KEEPS) {
    const what =
      word === 'Last'
        ? 'the newest N'
        : `the newest of each of N ${word === 'Daily' ? 'days' : `${word.slice(0, -2).toLowerCase()}s`}`;
    command.option(`--keep-${word.toLowerCase()} <n>`, `keep ${what}; all 0 keeps everything`);
  }
  command
    .option('--drill-every <time>', 'time between two drills of the newest backup, 1d to 366d; off for none')
    .option('--drill-server <server>', 'where they are tried; "" for the site\'s own services')
    .option('--inherit', 'the site has no policy of its own any more')
    .action(async (site: string | undefined, _, self: Command) => {
      const flags = self.optsWithGlobals<PolicyFlags>();
      if (flags.inherit === true && site === undefined) {
        throw new AegirError('invalid_argument', 'cannot inherit the policy of all sites: name a site');
      }
      const seconds = (text: string | undefined, what: string) =>
        text === undefined ? undefined : durationInSeconds(text, what);
      const count = (word: (typeof KEEPS)[number]) => {
        const text = flags[`keep${word}`];
        return text === undefined ? undefined : Number(wholeNumber(text, `--keep-${word.toLowerCase()}`));
      };
      const wanted = {
        everySeconds: seconds(flags.every, '--every'),
        service: flags.service,
        keepLast: count('Last'),
        keepDaily: count('Daily'),
        keepWeekly: count('Weekly'),
        keepMonthly: count('Monthly'),
        keepYearly: count('Yearly'),
        drillEverySeconds: seconds(flags.drillEvery, '--drill-every'),
        drillServer: flags.drillServer,
        inherit: flags.inherit === true,
      };
      const changes = Object.values(wanted).some((value) => value !== undefined && value !== false);
      await cli.connected(flags, async (link, out) => {
        const policy = changes
          ? await link.call(api.setBackupPolicy, { site: site ?? '', ...wanted })
          : await link.call(api.getBackupPolicy, { site: site ?? '' });
        printOne(out, policy, BackupPolicy.toJSON, DETAILS);
      });
    });
}

// aegir site …
import type { Command } from 'commander';
import { AegirError } from '../../../shared/error.ts';
import { SiteServiceService as api, Site, type SiteJourney } from '../../../shared/gen/aegir/v1/admin.ts';
import { displayName, displayNames } from '../../../shared/name.ts';
import { counted } from '../../../shared/words.ts';
import { type ChangeFlags, changeOptions, followChange, withChangeFlags } from '../change.ts';
import { listAll } from '../list.ts';
import { durationInSeconds, sizeInBytes, wholeNumber } from '../number.ts';
import { bytes, type Column, printList, printOne, when } from '../output.ts';
import type { Cli, GlobalOptions } from '../session.ts';
import { secretsOf } from '../settings.ts';
import { createCommand as backupCommand } from './backup.ts';
import { cloneCommand } from './clone.ts';
import { migrateCommand } from './move.ts';
import { ACCESS_DETAILS, type AccessFlags, accessPart, withAccessFlags } from './site-access.ts';
import { BACKUP_COLUMN, BACKUP_DETAILS } from './site-backups.ts';
import { CRON_DETAILS, USAGE_DETAILS, usageCommand } from './site-usage.ts';

const binding = (site: Site, type: string) => site.bindings.find((bound) => bound.type === type)?.service ?? '-';

const COLUMNS: readonly Column<Site>[] = [
  { title: 'name', value: (site) => displayName(site.name) },
  { title: 'state', value: (site) => site.state },
  { title: 'app', value: (site) => site.app },
  { title: 'platform', value: (site) => site.platform },
  { title: 'http', value: (site) => binding(site, 'http') },
  { title: 'db', value: (site) => binding(site, 'db') },
  { title: 'client', value: (site) => site.client || '-' },
  BACKUP_COLUMN,
  { title: 'url', value: (site) => site.url },
];

const DETAILS: readonly Column<Site>[] = [
  { title: 'Name', value: (site) => displayName(site.name) },
  { title: 'Id', value: (site) => site.id },
  { title: 'URL', value: (site) => site.url },
  { title: 'Aliases', value: (site) => site.aliases.map(displayName).join(', ') },
  { title: 'State', value: (site) => site.state },
  { title: 'On its way', value: ({ journey }) => (journey === undefined ? '' : journeyText(journey)) },
  { title: 'Title', value: (site) => site.title },
  { title: 'App', value: (site) => site.app },
  { title: 'Platform', value: (site) => site.platform },
  { title: 'Bindings', value: (site) => site.bindings.map((bound) => `${bound.type}: ${bound.service}`).join(', ') },
  { title: 'Client', value: (site) => site.client },
  {
    title: 'HTTPS',
    value: ({ web }) =>
      web === undefined || web.https === 'off'
        ? 'off'
        : [
            web.https,
            ...(web.redirect ? ['HTTP leads to it'] : []),
            ...(web.hstsSeconds > 0 ? [`HSTS ${web.hstsSeconds} s`] : []),
          ].join(', '),
  },
  {
    title: 'Certificate',
    value: ({ certificate }) =>
      certificate === undefined
        ? ''
        : `${certificate.source} by ${certificate.issuer}, until ${when(certificate.notAfter)}, for ${certificate.names.map(displayName).join(', ')}`,
  },
  {
    title: 'PHP',
    value: ({ web }) => {
      const php = web?.php;
      if (php === undefined) return '';
      return [
        php.version,
        php.children > 0 ? `${counted(php.children, 'request')} at once` : '',
        php.memoryBytes > 0n ? `memory ${bytes(php.memoryBytes)}` : '',
        php.bodyBytes > 0n ? `uploads ${bytes(php.bodyBytes)}` : '',
        php.seconds > 0 ? `${php.seconds} s` : '',
      ]
        .filter((word) => word !== '')
        .join(', ');
    },
  },
  { title: 'Redirects to', value: (site) => displayName(site.web?.redirectTo ?? '') },
  ...ACCESS_DETAILS,
  ...CRON_DETAILS,
  ...USAGE_DETAILS,
  ...BACKUP_DETAILS,
  { title: 'Created', value: (site) => when(site.createdAt) },
];

function journeyText({ to, phase, taskId, taskState, reason }: SiteJourney): string {
  const where = to.length === 0 ? 'to another platform' : `to ${to.join(', ')}`;
  const task = taskId === '' ? 'its task is over; see: aegir task list' : `task ${taskId} is ${taskState}`;
  return `${where} (${phase}); ${task}${reason === '' ? '' : `: ${displayNames(reason)}`}`;
}

interface InstallFlags extends ChangeFlags {
  readonly alias?: readonly string[];
  readonly platform?: string;
  readonly db?: string;
  readonly dns?: string;
  readonly client?: string;
  readonly title?: string;
  readonly locale?: string;
  readonly profile?: string;
  readonly adminName?: string;
  readonly adminMail?: string;
}

interface SetFlags extends ChangeFlags, AccessFlags {
  readonly addAlias?: readonly string[];
  readonly removeAlias?: readonly string[];
  readonly https?: string;
  readonly certificate?: string;
  readonly certificateKey?: string;
  readonly httpsRedirect?: boolean;
  readonly hsts?: string;
  readonly redirectTo?: string;
  readonly phpVersion?: string;
  readonly phpWorkers?: string;
  readonly phpMemory?: string;
  readonly phpUpload?: string;
  readonly phpTime?: string;
  readonly cron?: string;
}

/** What says how it is done is nothing to set. */
const HOW: ReadonlySet<string> = new Set(['plan', 'wait', 'verbose', 'key']);

function requireAny(command: Command): void {
  const wishes = command.options.filter((option) => !HOW.has(option.attributeName()));
  if (wishes.some((option) => command.getOptionValueSource(option.attributeName()) === 'cli')) return;
  const names = [...new Set(wishes.map((option) => option.long ?? option.flags))].join(', ');
  throw new AegirError('invalid_argument', `cannot set nothing: say what shall change by one of ${names}`);
}

export function siteCommand(cli: Cli, program: Command): void {
  const noun = program.command('site').description('websites');

  noun
    .command('list')
    .description('list sites')
    .option('--client <client>', 'only of this client')
    .option('--platform <platform>', 'only on this platform')
    .action(async (_, command: Command) => {
      const flags = command.optsWithGlobals<GlobalOptions & { client?: string; platform?: string }>();
      await cli.connected(flags, async (link, out) => {
        const sites = await listAll(
          (page) => link.call(api.listSites, { ...page, client: flags.client ?? '', platform: flags.platform ?? '' }),
          (answer) => answer.sites,
        );
        printList(out, sites, Site.toJSON, COLUMNS, 'No sites yet. Install one with: aegir site install NAME');
      });
    });

  noun
    .command('show <site>')
    .description('show one site')
    .action(async (site: string, _, command: Command) => {
      await cli.connected(command.optsWithGlobals<GlobalOptions>(), async (link, out) =>
        printOne(out, await link.call(api.getSite, { site }), Site.toJSON, DETAILS),
      );
    });

  withChangeFlags(noun.command('install <name>').description('create a site'))
    .option('--alias <names...>', 'further host names')
    .option('--platform <platform>', 'platform; may be left out when there is one only')
    .option('--db <service>', 'db service; may be left out when one only is enabled')
    .option('--dns <service>', "dns service; left out, the web server's null engine tells which records to set")
    .option('--client <client>', 'who owns it')
    .option('--title <title>', 'title of the site')
    .option('--locale <locale>', 'language, as the app names it')
    .option('--profile <profile>', 'install profile (drupal)')
    .option('--admin-name <name>', "first administrator's name", 'admin')
    .option('--admin-mail <mail>', "first administrator's mail address")
    .action(async (name: string, _, command: Command) => {
      const flags = command.optsWithGlobals<InstallFlags>();
      await followChange(cli, flags, (link) =>
        link.call(api.installSite, {
          name,
          aliases: [...(flags.alias ?? [])],
          platform: flags.platform ?? '',
          db: flags.db ?? '',
          dns: flags.dns ?? '',
          client: flags.client ?? '',
          title: flags.title ?? '',
          locale: flags.locale ?? '',
          profile: flags.profile ?? '',
          adminName: flags.adminName ?? '',
          adminMail: flags.adminMail ?? '',
          options: changeOptions(flags),
        }),
      );
    });

  const verbs = [
    { name: 'verify', text: 'find drift and mend it', method: api.verifySite },
    { name: 'enable', text: 'serve a disabled site again', method: api.enableSite },
    { name: 'disable', text: 'answer with a maintenance page', method: api.disableSite },
  ] as const;
  for (const verb of verbs) {
    withChangeFlags(noun.command(`${verb.name} <site>`).description(verb.text)).action(
      async (site: string, _, command: Command) => {
        const flags = command.optsWithGlobals<ChangeFlags>();
        await followChange(cli, flags, (link) =>
          link.call(verb.method, { site, confirm: false, options: changeOptions(flags) }),
        );
      },
    );
  }

  withChangeFlags(
    noun
      .command('delete <site>')
      .description('remove a site with its files and database; it is backed up before where a file service is'),
  )
    .option('--yes', 'do not ask')
    .option('--no-backup', 'without a last backup')
    .option('--service <service>', "file service for the last backup; default: the policy's, or the only one")
    .action(async (site: string, _, command: Command) => {
      const flags = command.optsWithGlobals<ChangeFlags & { backup: boolean; service?: string }>();
      await followChange(cli, flags, async (link) => {
        if (flags.plan !== true) {
          const { name } = await link.call(api.getSite, { site });
          await cli.confirm(`Delete ${displayName(name)} with its files and database?`, flags.yes === true);
        }
        return link.call(api.deleteSite, {
          ...{ site, confirm: true, noBackup: !flags.backup, service: flags.service ?? '' },
          options: changeOptions(flags),
        });
      });
    });

  const set = noun.command('set <site>').description('change how it is served; what is not said stays');
  withAccessFlags(withChangeFlags(set))
    .option('--add-alias <names...>', 'further host names')
    .option('--remove-alias <names...>', 'host names to take away')
    .option('--https <how>', 'off, self-signed, acme (a certificate authority), acme-dns (proved in its zones), or own')
    .option('--certificate <file>', 'a certificate of your own with its intermediates, PEM')
    .option('--certificate-key <file>', 'its key, PEM; - for standard input')
    .option('--https-redirect', 'plain HTTP leads to HTTPS')
    .option('--no-https-redirect', 'plain HTTP is served too')
    .option('--hsts <time>', 'browsers remember for so long, seconds or 180d, to use HTTPS only; 0 for not')
    .option('--redirect-to <name>', 'all other names lead to this one; "" for not')
    .option('--php-version <version>', 'for example 8.2; "" for the newest of the server')
    .option('--php-workers <n>', 'requests at once; 0 for the default')
    .option('--php-memory <size>', 'memory of one request, for example 512M; 0 for the default')
    .option('--php-upload <size>', 'largest request and upload, for example 100M; 0 for the default')
    .option('--php-time <time>', 'time of one request, seconds or 10m; 0 for the default')
    .option('--cron <every>', "how often its app's cron runs, for example 15m or 1h; off for never")
    .action(async (site: string, _, command: Command) => {
      const flags = command.optsWithGlobals<SetFlags>();
      requireAny(set);
      const read = (what: string, file: string | undefined) =>
        file === undefined ? '' : (secretsOf([`${what}=${file}`])[what] ?? '');
      const access = await accessPart(cli, flags);
      await followChange(cli, flags, (link) =>
        link.call(api.setSite, {
          ...access,
          site,
          addAliases: [...(flags.addAlias ?? [])],
          removeAliases: [...(flags.removeAlias ?? [])],
          https: flags.https,
          httpsRedirect: flags.httpsRedirect,
          hstsSeconds: flags.hsts === undefined ? undefined : durationInSeconds(flags.hsts, '--hsts'),
          redirectTo: flags.redirectTo,
          certificatePem: read('certificate', flags.certificate),
          keyPem: read('key', flags.certificateKey),
          phpVersion: flags.phpVersion,
          phpChildren:
            flags.phpWorkers === undefined ? undefined : Number(wholeNumber(flags.phpWorkers, '--php-workers')),
          phpMemoryBytes: flags.phpMemory === undefined ? undefined : sizeInBytes(flags.phpMemory, '--php-memory'),
          phpBodyBytes: flags.phpUpload === undefined ? undefined : sizeInBytes(flags.phpUpload, '--php-upload'),
          phpSeconds: flags.phpTime === undefined ? undefined : durationInSeconds(flags.phpTime, '--php-time'),
          cronSeconds: flags.cron === undefined ? undefined : durationInSeconds(flags.cron, '--cron'),
          options: changeOptions(flags),
        }),
      );
      if ((flags.https === 'acme' || flags.https === 'acme-dns') && flags.plan !== true && flags.wait) {
        await followChange(cli, flags, (link) =>
          link.call(api.certifySite, { site, confirm: false, options: undefined }),
        );
      }
    });

  withChangeFlags(
    noun.command('certificate <site>').description('get a certificate from the authority now, not when it is due'),
  ).action(async (site: string, _, command: Command) => {
    const flags = command.optsWithGlobals<ChangeFlags>();
    await followChange(cli, flags, (link) =>
      link.call(api.certifySite, { site, confirm: false, options: changeOptions(flags) }),
    );
  });

  withChangeFlags(noun.command('cron <site>').description("run its app's cron now")).action(
    async (site: string, _, command: Command) => {
      const flags = command.optsWithGlobals<ChangeFlags>();
      await followChange(cli, flags, (link) =>
        link.call(api.cronSite, { site, confirm: false, options: changeOptions(flags) }),
      );
    },
  );

  noun.addCommand(backupCommand(cli, 'backup'));

  withChangeFlags(
    noun.command('rebind <site>').description('move a binding to another service, where no data need move'),
  )
    .option('--front <service>', 'front of a cluster with the same heads, SERVER/cluster:NAME')
    .option('--dns <service>', 'dns service')
    .option(
      '--patience <time>',
      'how long the former front serves on once the names lead to the new one, for example 2h; left out, as their TTL says',
    )
    .action(async (site: string, _, command: Command) => {
      const flags = command.optsWithGlobals<ChangeFlags & { front?: string; dns?: string; patience?: string }>();
      const patienceSeconds =
        flags.patience === undefined ? undefined : durationInSeconds(flags.patience, '--patience');
      await followChange(cli, flags, (link) =>
        link.call(api.rebindSite, {
          ...{ site, http: flags.front ?? '', dns: flags.dns ?? '', patienceSeconds },
          options: changeOptions(flags),
        }),
      );
    });

  usageCommand(cli, noun);
  cloneCommand(cli, noun);
  migrateCommand(cli, noun);

  withChangeFlags(noun.command('login <site>').description('make a one-time login link'))
    .option('--account <account>', 'whom to log in as; left out, the first administrator')
    .action(async (site: string, _, command: Command) => {
      const flags = command.optsWithGlobals<ChangeFlags & { account?: string }>();
      await followChange(cli, flags, (link) =>
        link.call(api.loginSite, { site, account: flags.account ?? '', options: changeOptions(flags) }),
      );
    });
}

// What is really there of sites on a machine's servers: files, sockets and accounts under the hosts, databases, users and
// grants in MariaDB, sites in the store. Two looks that are equal mean that nothing was left behind.
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { SiteServiceService } from '../../shared/gen/aegir/v1/admin.ts';
import type { Machine } from './machine.ts';
import { sql } from './sql.ts';

const ACCOUNTS = [
  "SELECT CONCAT('database ', schema_name) FROM information_schema.schemata WHERE schema_name LIKE 'site\\\\_%'",
  "SELECT CONCAT('user ', user, '@', host) FROM mysql.user WHERE user LIKE 's\\\\_%'",
  "SELECT CONCAT('grant ', user, '@', host, ' on ', db) FROM mysql.db WHERE user LIKE 's\\\\_%'",
];

/** Sorted lines, one for each thing. */
export async function stateOf(machine: Machine): Promise<string[]> {
  const { dir } = machine.layout;
  const { sites } = await machine.connection().call(SiteServiceService.listSites, {
    pageSize: 0,
    pageToken: '',
    client: '',
    platform: '',
  });
  return [
    ...sites.map((site) => `site ${site.name} ${site.state}`),
    ...['web1', 'db1'].flatMap((server) => filesUnder(join(dir, server, 'host'))),
    `accounts ${accounts(join(dir, 'web1/host/users.json'))}`,
    ...sql(machine, ACCOUNTS.join(';')),
  ].sort();
}

/** Logs of daemons, what they keep for themselves, and MariaDB's own files are no site's. */
const NOT_OURS = /^(daemon-logs|daemons|run\/.*\.pid|run\/mariadb|tmp\/(nginx|mariadb)|data\/mariadb\/)/;
/** A site's own program writes there whenever it likes, WordPress's cron for one; the directories themselves are ours. */
const OF_THE_PROGRAM = /^sites\/[^/]+\/(files|tmp|sessions|logs)\//;

/** Links are not followed. */
function filesUnder(host: string, below = ''): string[] {
  return readdirSync(join(host, below), { withFileTypes: true }).flatMap((entry) => {
    const path = join(below, entry.name);
    if (NOT_OURS.test(path) || OF_THE_PROGRAM.test(path)) return [];
    return [`file ${path}`, ...(entry.isDirectory() ? filesUnder(host, path) : [])];
  });
}

function accounts(path: string): string {
  try {
    return JSON.stringify(JSON.parse(readFileSync(path, 'utf8')));
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return '{}';
    throw error;
  }
}

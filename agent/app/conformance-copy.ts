// Brings a site's database into another one for tests, by the client programs of its server.
import { spawn } from 'node:child_process';
import type { SiteSpec } from '../../shared/gen/aegir/v1/spec.ts';

/** Tables and values of caches and logs, and when they were made. */
const DERIVED = [
  /_transient_/,
  /^INSERT INTO (?:`|public\.)(?:cache|router|menu_router|registry|semaphore|watchdog|sessions|flood)/,
  /'(?:css_js_query_string|menu_masks|menu_expanded|drupal_(?:css|js)_cache_files|system\.css_js_query_string|drupal_http_request_fails)'/,
];
const SHOWN = 300;

/** One statement for each row, a line each; the same content gives the same text. Bytes as they are ("latin1"). */
export async function dumpOf({ db }: SiteSpec): Promise<string> {
  if (db?.driver === 'pgsql') {
    const options = ['--inserts', '--no-owner', '--no-privileges', ...pgsql(db), db.database];
    return (await run('pg_dump', options, { PGPASSWORD: db.password })).replace(/^\\(?:un)?restrict .*$/gm, '');
  }
  const options = ['--skip-comments', '--skip-extended-insert', '--order-by-primary', ...mysql(db), db?.database ?? ''];
  return run('mariadb-dump', options, { MYSQL_PWD: db?.password ?? '' });
}

/** Into an empty database. */
export async function restoreInto({ db }: SiteSpec, dump: string): Promise<void> {
  if (db?.driver === 'pgsql') {
    const options = ['-q', '-v', 'ON_ERROR_STOP=1', ...pgsql(db), db.database];
    await run('psql', options, { PGPASSWORD: db.password }, dump);
  } else {
    await run('mariadb', [...mysql(db), db?.database ?? ''], { MYSQL_PWD: db?.password ?? '' }, dump);
  }
}

/** Rows of a dump, a line each, but those of caches and logs. */
export function rowsOf(dump: string): readonly string[] {
  return dump
    .split('\n')
    .filter((line) => line.startsWith('INSERT') && !DERIVED.some((derived) => derived.test(line)))
    .sort();
}

/** Beginnings of the rows that only one of two dumps has. */
export function changedRows(before: string, after: string): readonly string[] {
  const [old, now] = [new Set(rowsOf(before)), new Set(rowsOf(after))];
  const only = (some: ReadonlySet<string>, others: ReadonlySet<string>, mark: string) =>
    [...some].filter((row) => !others.has(row)).map((row) => mark + row.slice(0, SHOWN));
  return [...only(old, now, '- '), ...only(now, old, '+ ')];
}

function pgsql({ host, port, user }: NonNullable<SiteSpec['db']>): readonly string[] {
  return ['-h', host, '-p', `${port}`, '-U', user];
}

function mysql(db: SiteSpec['db']): readonly string[] {
  return ['--default-character-set=utf8mb4', '-h', db?.host ?? '', '-P', `${db?.port}`, '-u', db?.user ?? ''];
}

function run(
  program: string,
  args: readonly string[],
  env: Readonly<Record<string, string>>,
  input = '',
): Promise<string> {
  return new Promise((resolve, reject) => {
    const child = spawn(program, args, { env: { ...process.env, ...env } });
    const said: Buffer[] = [];
    const wrong: Buffer[] = [];
    child.stdout.on('data', (part: Buffer) => said.push(part));
    child.stderr.on('data', (part: Buffer) => wrong.push(part));
    child.on('error', reject);
    child.on('close', (code) => {
      if (code === 0) resolve(Buffer.concat(said).toString('latin1'));
      else reject(new Error(`${program} ended with ${code}: ${Buffer.concat(wrong).toString()}`));
    });
    child.stdin.end(Buffer.from(input, 'latin1'));
  });
}

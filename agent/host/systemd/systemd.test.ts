import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import type { Command, CommandResult } from '../host.ts';
import type { Run } from '../process.ts';
import { createSerial } from '../serial.ts';
import type { AccountEnds } from './account-ends.ts';
import { createApache, parseListen } from './apache.ts';
import { eachOnce } from './disks.ts';
import { createSystemdHost, installedAs, phpVersionsIn } from './host.ts';
import { isMysql, parseListening } from './mariadb.ts';
import { createNginx } from './nginx.ts';
import { parseLogPath, wrongLines } from './php-fpm.ts';
import { createSystemctl, parseUnitState } from './systemctl.ts';
import { createSystemUsers } from './users.ts';

/** Records what is run; answers by the first rule whose words the command begins with. */
function script(rules: Record<string, () => Partial<CommandResult>>): { run: Run; ran: string[] } {
  const ran: string[] = [];
  const run: Run = async ({ argv }: Command) => {
    const line = argv.join(' ');
    ran.push(line);
    const rule = Object.keys(rules).find((words) => line.startsWith(words));
    return { code: 0, stdout: '', stderr: '', ...(rule === undefined ? {} : rules[rule]?.()) };
  };
  return { run, ran };
}

const ACTIVE = { stdout: 'LoadState=loaded\nActiveState=active\nMainPID=10\n' };

test('unit states', () => {
  expect(parseUnitState(ACTIVE.stdout)).toEqual({ loaded: true, active: true, mainPid: 10 });
  expect(parseUnitState('LoadState=not-found\nActiveState=inactive\nMainPID=0\n')).toEqual({
    loaded: false,
    active: false,
    mainPid: undefined,
  });
  expect(parseUnitState('LoadState=loaded\nActiveState=reloading\nMainPID=3\n').active).toBe(true);
});

test.each([
  ['--socket=/run/s --bind-address=127.0.0.1', { addresses: ['127.0.0.1'], port: 3306, socket: '/run/s' }],
  ['--bind_address=* --port=3307', { addresses: ['0.0.0.0', '::'], port: 3307, socket: '/run/mysqld/mysqld.sock' }],
  ['--bind-address=127.0.0.1 --bind-address=10.0.0.1,10.0.0.2', { addresses: ['10.0.0.1', '10.0.0.2'] }],
  ['--skip-networking', { addresses: [], port: 0 }],
  ['--skip-networking=0', { port: 3306 }],
])('mariadb listens as %s says', (text, expected) => {
  expect(parseListening(`mariadbd would have been started with the following arguments:\n${text} \n`)).toMatchObject(
    expected,
  );
});

test('php-fpm -tt: the log path when it is a file of notices; secrets stay in', () => {
  const of = (log: string, level: string): string =>
    `[x] NOTICE: [global]\n[x] NOTICE: \terror_log = ${log}\n[x] NOTICE: \tlog_level = ${level}\n`;
  expect(parseLogPath(of('/var/log/f.log', 'unknown value'))).toBe('/var/log/f.log');
  expect(parseLogPath(of('syslog', 'NOTICE'))).toBeUndefined();
  expect(parseLogPath(of('/var/log/f.log', 'ERROR'))).toBeUndefined();
  const text = '[x] NOTICE: \tenv[PASSWORD] = hunter2\n[x] ERROR: [/etc/a.conf:3] unknown entry';
  expect(wrongLines(text)).toBe('[x] ERROR: [/etc/a.conf:3] unknown entry');
});

test('programs and versions', () => {
  expect(phpVersionsIn(['php-fpm8.2', 'php-fpm8.10', 'php-fpm', 'nginx'])).toEqual(['8.10', '8.2']);
  expect(installedAs('php-fpm@8.3')).toEqual({ program: '/usr/sbin/php-fpm8.3', unit: 'php8.3-fpm.service' });
  expect(installedAs('named')).toEqual({ program: '/usr/sbin/named', unit: 'named.service' });
  expect(installedAs('pdns')).toEqual({ program: '/usr/sbin/pdns_server', unit: 'pdns.service' });
  expect(installedAs('apache2')).toEqual({ program: '/usr/sbin/apache2ctl', unit: 'apache2.service' });
  expect(() => installedAs('php-fpm@../x')).toThrow(/cannot use/);
});

test('a unit that does not start says what its journal says', async () => {
  const { run } = script({
    'systemctl --no-ask-password start': () => ({ code: 1, stderr: 'Job failed.' }),
    journalctl: () => ({ stdout: 'bind() to 0.0.0.0:80 failed\n' }),
  });
  await expect(createSystemctl(run).act('start', 'nginx.service')).rejects.toThrow(
    /cannot start nginx.service: .*1:\nJob failed.\nbind\(\) to 0.0.0.0:80 failed/s,
  );
});

function nginxWith(rules: Parameters<typeof script>[0], generations: readonly (readonly number[])[]) {
  const { run, ran } = script({ 'systemctl show': () => ACTIVE, ...rules });
  let asked = 0;
  const workers = async (): Promise<readonly number[]> => generations[Math.min(asked++, generations.length - 1)] ?? [];
  const systemctl = createSystemctl(run);
  const program = '/usr/sbin/nginx';
  return { ran, nginx: createNginx({ program, addresses: [], run, systemctl, serial: createSerial(), workers }) };
}

test('nginx: reload waits for the new workers', async () => {
  const { nginx, ran } = nginxWith({}, [
    [1, 2],
    [1, 2],
    [1, 2, 3],
    [3, 4],
  ]);
  await nginx.reload();
  const doing = ran.filter((line) => !line.startsWith('systemctl show'));
  expect(doing).toEqual(['/usr/sbin/nginx -t -q', 'systemctl --no-ask-password reload -- nginx.service']);
});

test('nginx: a wrong configuration is never reloaded', async () => {
  const { nginx, ran } = nginxWith(
    { '/usr/sbin/nginx': () => ({ code: 1, stderr: 'unknown directive "x" in /a:3' }) },
    [[1]],
  );
  await expect(nginx.reload()).rejects.toThrow(/unknown directive "x" in \/a:3/);
  expect(ran.some((line) => line.includes(' reload '))).toBe(false);
});

async function apacheWith(rules: Parameters<typeof script>[0], generations: readonly (readonly number[])[]) {
  const { run, ran } = script({ 'systemctl show': () => ACTIVE, ...rules });
  let asked = 0;
  const children = async (): Promise<readonly number[]> => generations[Math.min(asked++, generations.length - 1)] ?? [];
  const ports: Record<string, string> = { '/etc/apache2/ports.conf': 'Listen 127.0.0.1:8080\n' };
  const apache = await createApache({
    program: '/usr/sbin/apache2ctl',
    run,
    systemctl: createSystemctl(run),
    serial: createSerial(),
    files: { read: async (path) => ports[path] },
    wildcards: ['0.0.0.0', '::'],
    children,
  });
  return { ran, apache };
}

test('apache: where it listens is where its configuration says, and reload waits for the new children', async () => {
  const { apache, ran } = await apacheWith({}, [
    [1, 2],
    [1, 2],
    [2, 3],
    [3, 4],
  ]);
  expect(apache).toMatchObject({ addresses: ['127.0.0.1'], port: 8080, includeDir: '/etc/apache2/sites-enabled' });
  await apache.reload();
  const doing = ran.filter((line) => !line.startsWith('systemctl show'));
  expect(doing).toEqual(['/usr/sbin/apache2ctl -t', 'systemctl --no-ask-password reload -- apache2.service']);
});

test('apache: a wrong configuration is never reloaded', async () => {
  const { apache, ran } = await apacheWith(
    { '/usr/sbin/apache2ctl': () => ({ code: 1, stderr: "Invalid command 'x'" }) },
    [[1]],
  );
  await expect(apache.reload()).rejects.toThrow(/Invalid command 'x'/);
  expect(ran.some((line) => line.includes(' reload '))).toBe(false);
});

test.each([
  ['Listen 80\n<IfModule ssl_module>\n\tListen 443\n</IfModule>\n', { addresses: [], port: 80, tlsPort: 443 }],
  ['Listen 8443 https\nListen 8081\n', { addresses: [], port: 8081, tlsPort: 8443 }],
  [
    'Listen 443\nListen 192.0.2.1:8080\nListen [2001:db8::1]:8080\n',
    { addresses: ['192.0.2.1', '2001:db8::1'], port: 8080, tlsPort: 443 },
  ],
  ['listen 192.0.2.1:80 http\nListen 0.0.0.0:80\n', { addresses: [], port: 80, tlsPort: undefined }],
  ['Listen 8081\nListen 80\n', { addresses: [], port: 80, tlsPort: undefined }],
  ['# Listen 8081\n', { addresses: [], port: 80, tlsPort: undefined }],
])('apache listens as %j says', (text, expected) => {
  expect(parseListen(text)).toEqual(expected);
});

test('nginx: reload starts one that is down', async () => {
  const states = ['inactive', 'active'];
  const show = () => ({ stdout: `LoadState=loaded\nActiveState=${states.shift() ?? 'active'}\nMainPID=10\n` });
  const { nginx, ran } = nginxWith({ 'systemctl show': show }, [[5]]);
  await nginx.reload();
  expect(ran).toContain('systemctl --no-ask-password start -- nginx.service');
});

const PASSWD = 'aegir-0123456789abcdef:x:990:990:Aegir site:/h:/usr/sbin/nologin\n';
const NAME = 'aegir-0123456789abcdef';

const numbers = { next: async () => 990 };
const kept = new Map<string, number>();
const ends: AccountEnds = {
  read: async (name) => kept.get(name),
  keep: async (name, day) => void (day === undefined ? kept.delete(name) : kept.set(name, day)),
};
const removeLeftovers = async () => {};

test('users: made once, with a number that nobody had', async () => {
  let there = false;
  const { run, ran } = script({
    'getent -- passwd': () => (there ? { stdout: PASSWD } : { code: 2 }),
    'getent -- group': () => ({ code: 2 }),
    useradd: () => {
      there = true;
      return {};
    },
  });
  const users = createSystemUsers({ run, numbers, ends });
  expect(await users.ensure(NAME, '/h')).toEqual({ name: NAME, uid: 990, gid: 990 });
  await users.ensure(NAME, '/h');
  expect(ran.filter((line) => /^(user|group)add/.test(line))).toEqual([
    `groupadd --system --gid=990 -- ${NAME}`,
    `useradd --system --no-log-init --gid=${NAME} --uid=990 --no-create-home --home-dir=/h --shell=/usr/sbin/nologin --comment=Aegir site -- ${NAME}`,
  ]);
});

test('users: a number of the master is taken as it is, and no other', async () => {
  const { run, ran } = script({ getent: () => ({ code: 2 }) });
  const users = createSystemUsers({ run, ends, numbers: { next: () => Promise.reject(new Error('asked')) } });
  await expect(users.ensure(NAME, '/h', 480_001)).rejects.toThrow(/useradd made none/);
  await expect(users.ensure(NAME, '/h', 2_010_000_000)).rejects.toThrow(/useradd made none/);
  expect(ran.filter((line) => line.startsWith('groupadd'))).toEqual([
    `groupadd --system --gid=480001 -- ${NAME}`,
    `groupadd --system --gid=2010000000 -- ${NAME}`,
  ]);
  for (const uid of [1000, 524_288, 2_020_000_000]) {
    await expect(users.ensure(NAME, '/h', uid)).rejects.toMatchObject({ code: 'invalid_argument' });
  }
});

test('users: a group left by a crash is taken', async () => {
  const { run, ran } = script({
    'getent -- passwd': () => ({ code: 2 }),
    'getent -- group': () => ({ stdout: `${NAME}:x:990:\n` }),
  });
  await expect(createSystemUsers({ run, numbers, ends }).ensure(NAME, '/h')).rejects.toThrow(/useradd made none/);
  expect(ran.find((line) => line.startsWith('useradd'))).toContain(` --gid=${NAME} `);
  expect(ran.some((line) => line.startsWith('groupadd'))).toBe(false);
});

test('users: processes, crontab and leftovers go before the user does; its group goes too', async () => {
  for (const uid of [990, 480_000, 2_020_000_001, 40_000]) {
    const { run, ran } = script({
      'getent -- passwd': () => ({ stdout: PASSWD.replace('990:990', `${uid}:${uid}`) }),
      'getent -- group': () => ({ stdout: `${NAME}:x:${uid}:\n` }),
    });
    const endProcesses = async (of: number): Promise<boolean> => {
      ran.push(`end ${of}`);
      return true;
    };
    const sweep = async (of: number): Promise<void> => void ran.push(`sweep ${of}`);
    const which = async (program: string) => `/usr/bin/${program}`;
    await createSystemUsers({ run, numbers, ends, endProcesses, which, removeLeftovers: sweep }).remove(NAME);
    expect(ran.filter((line) => !line.startsWith('getent'))).toEqual([
      `end ${uid}`,
      `/usr/bin/crontab -u ${NAME} -r`,
      `sweep ${uid}`,
      `end ${uid}`,
      `userdel -- ${NAME}`,
      `groupdel -- ${NAME}`,
    ]);
  }
});

test('users: none is removed whose processes stay, or that is no system user of ours', async () => {
  const { run, ran } = script({ 'getent -- passwd': () => ({ stdout: PASSWD }) });
  const users = createSystemUsers({ run, numbers, ends, removeLeftovers, endProcesses: async () => false });
  await expect(users.remove(NAME)).rejects.toThrow(/do not end/);
  for (const name of ['root', 'www-data', 'aegir-', 'aegir-a b', '-r', 'aegir-x\nroot']) {
    await expect(users.remove(name)).rejects.toMatchObject({ code: 'invalid_argument' });
    await expect(users.ensure(name, '/h')).rejects.toMatchObject({ code: 'invalid_argument' });
  }
  const person = script({ 'getent -- passwd': () => ({ stdout: PASSWD.replace('990:990', '1000:1000') }) });
  const theirs = createSystemUsers({ run: person.run, numbers, ends, removeLeftovers });
  await expect(theirs.remove(NAME)).rejects.toThrow(/no system user/);
  expect([...ran, ...person.ran].some((line) => line.startsWith('userdel'))).toBe(false);
});

test('users: an account is closed and opened once, and what others said of it stays', async () => {
  let expiry = '';
  const { run, ran } = script({
    'getent -- passwd': () => ({ stdout: PASSWD }),
    'getent -- shadow': () => ({ stdout: `${NAME}:!:20000:::::${expiry}:\n` }),
  });
  const { accounts } = createSystemUsers({ run, numbers, ends });
  if (accounts === undefined) throw new Error('no accounts');
  const changes = () => ran.filter((line) => line.startsWith('usermod'));
  const far = String(Math.floor(Date.now() / 86_400_000) + 30);
  for (const [day, is] of [
    ['', 'open'],
    ['0', 'open'],
    [far, 'open'],
    ['1', 'closed'],
    ['18000', 'expired'],
  ] as const) {
    expiry = day;
    kept.clear();
    ran.length = 0;
    expect(await accounts.state(NAME)).toBe(is);
    await accounts.close(NAME);
    expect(changes()).toEqual(is === 'open' ? [`usermod --expiredate=1970-01-02 -- ${NAME}`] : []);
    ran.length = 0;
    await accounts.open(NAME);
    expect(changes()).toEqual(is === 'closed' ? [`usermod --expiredate= -- ${NAME}`] : []);
  }
  // Closed while somebody lets it expire in a month: that comes back when it is opened, and once.
  expiry = far;
  await accounts.close(NAME);
  for (const date of [new Date(Number(far) * 86_400_000).toISOString().slice(0, 10), '']) {
    expiry = '1';
    ran.length = 0;
    await accounts.open(NAME);
    expect(changes()).toEqual([`usermod --expiredate=${date} -- ${NAME}`]);
  }
  for (const change of [accounts.close, accounts.open]) {
    await expect(change('www-data')).rejects.toMatchObject({ code: 'invalid_argument' });
  }
  const nobody = createSystemUsers({ run: script({ getent: () => ({ code: 2 }) }).run, numbers, ends });
  expect(await nobody.accounts?.state(NAME)).toBeUndefined();
});

test('the host makes its directories, and has no daemon whose unit is not there', async () => {
  const dir = await mkdtemp(join(tmpdir(), 'aegir-systemd-'));
  try {
    const paths = {
      state: join(dir, 'state'),
      sites: join(dir, 'a/sites'),
      linkless: join(dir, 'a/linkless'),
      logs: join(dir, 'logs'),
      run: join(dir, 'run'),
      work: join(dir, 'work'),
    };
    const { run } = script({
      'systemctl show': () => ({ stdout: 'LoadState=not-found\nActiveState=inactive\nMainPID=0\n' }),
    });
    const host = await createSystemdHost({ paths, run });
    expect(await host.files.directoryMatches(paths.run, { mode: 0o711 })).toBe(true);
    expect(await host.files.directoryMatches(paths.state, { mode: 0o700 })).toBe(true);
    expect(await host.daemon('nginx')).toBeUndefined();
    const identity = await host.identity();
    expect(identity.cpus).toBeGreaterThan(0);
    expect(identity.disks.some(({ sizeBytes }) => sizeBytes > 0)).toBe(true);
  } finally {
    await rm(dir, { recursive: true, force: true });
  }
});

test('disks: a file system that is mounted over itself counts once, by its first mount', async () => {
  const disk = (mount: string, network = false) => ({ mount, type: 'ext4', network, sizeBytes: 1, freeBytes: 1 });
  const devices: Record<string, number> = { '/': 1, '/usr': 1, '/srv': 2, '/var/tmp': 1 };
  const all = ['/', '/usr', '/srv', '/var/tmp', '/gone', '/gone2'].map((path) => disk(path));
  const kept = await eachOnce([...all, disk('/nfs', true)], async (path) => {
    if (path === '/nfs') throw new Error('a network file system was asked');
    return devices[path];
  });
  expect(kept.map(({ mount }) => mount)).toEqual(['/', '/srv', '/gone', '/gone2', '/nfs']);
});

test.each([
  ['/usr/sbin/mysqld  Ver 8.0.36 for Linux on x86_64 (MySQL Community Server - GPL)', true],
  ['/usr/sbin/mysqld  Ver 10.11.14-MariaDB-0+deb12u2 for debian-linux-gnu on x86_64 (Debian 12)', false],
  ['', false],
])('the program that says %j is MySQL: %s', async (stdout, is) => {
  expect(await isMysql('/usr/sbin/mysqld', script({ '/usr/sbin/mysqld': () => ({ stdout }) }).run)).toBe(is);
});

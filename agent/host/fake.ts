// A host in memory for unit tests of engines and apps: files in a map, commands answered by a script and recorded.
import { dirname } from 'node:path';
import { AegirError } from '../../shared/error.ts';
import type { Command, CommandResult, Daemon, DaemonName, FileOptions, Files, Host, SystemUser } from './host.ts';
import { clustersOf } from './postgresql-name.ts';

export type FakeEntry =
  | ({ readonly kind: 'file'; readonly content: string } & FileOptions)
  | ({ readonly kind: 'directory' } & FileOptions)
  | { readonly kind: 'link'; readonly target: string };

export interface FakeHostOptions {
  /** Answers a command; undefined is code 0 without output. */
  readonly answer?: (command: Command) => Partial<CommandResult> | undefined;
  /** Facts of the daemons it has; nginx on 192.0.2.1:80 and PHP-FPM 8.2 when not said. */
  readonly daemons?: readonly (Partial<Daemon> & { readonly name: DaemonName })[];
  readonly programs?: readonly string[];
}

export interface FakeHost extends Host {
  readonly tree: Map<string, FakeEntry>;
  readonly commands: Command[];
  /** What was done to daemons and users, in order, for example "nginx reload". */
  readonly acts: string[];
}

export function createFakeHost(options: FakeHostOptions = {}): FakeHost {
  const tree = new Map<string, FakeEntry>();
  const commands: Command[] = [];
  const acts: string[] = [];
  const users = new Map<string, SystemUser>();
  const described = options.daemons ?? [{ name: 'nginx' }, { name: 'php-fpm@8.2' }];
  const daemons = new Map(described.map((facts) => [facts.name, fakeDaemon(facts, acts)]));

  return {
    kind: 'systemd',
    tree,
    commands,
    acts,
    paths: {
      state: '/var/lib/aegir-agent',
      sites: '/var/aegir/sites',
      linkless: '/var/aegir/linkless',
      logs: '/var/log/aegir',
      run: '/run/aegir',
      work: '/var/aegir/work',
    },
    files: fakeFiles(tree),
    users: {
      lookup: async (name) => users.get(name),
      async ensure(name) {
        const user = users.get(name) ?? { name, uid: 900 - users.size, gid: 900 - users.size };
        users.set(name, user);
        acts.push(`user ${name} ensure`);
        return user;
      },
      async remove(name) {
        users.delete(name);
        acts.push(`user ${name} remove`);
      },
    },
    said: new Map(),
    async run(command) {
      if (command.signal?.aborted) throw new AegirError('cancelled', `cannot run ${command.argv[0]}: it was cancelled`);
      commands.push(command);
      const result = { code: 0, stdout: '', stderr: '', ...options.answer?.(command) };
      for (const stream of ['stdout', 'stderr'] as const) {
        for (const line of result[stream].split('\n').filter(Boolean)) command.onLine?.(stream, line);
      }
      return result;
    },
    async *stream({ input, failed, idleMs: _idleMs, ...command }) {
      if (command.signal?.aborted) throw new AegirError('cancelled', `cannot run ${command.argv[0]}: it was cancelled`);
      const taken: Uint8Array[] = [];
      for await (const chunk of input ?? []) taken.push(chunk);
      const whole: Command = input === undefined ? command : { ...command, input: Buffer.concat(taken) };
      commands.push(whole);
      const { code, stdout, stderr } = { code: 0, stdout: '', stderr: '', ...options.answer?.(whole) };
      yield Buffer.from(stdout);
      if (code !== 0) throw failed({ code, stderr });
    },
    daemon: async (name) => daemons.get(name),
    phpVersions: async () =>
      described.flatMap(({ name }) => (name.startsWith('php-fpm@') ? [name.slice('php-fpm@'.length)] : [])),
    postgresqlClusters: async () => clustersOf(described.map(({ name }) => name)),
    which: async (program) => (options.programs?.includes(program) ? `/usr/bin/${program}` : undefined),
    identity: async () => ({
      hostname: 'fake.example',
      os: 'Debian GNU/Linux 12 (bookworm)',
      kernel: '6.1.0',
      arch: 'x64',
      cpus: 2,
      memoryBytes: 2 ** 32,
      disks: [],
      addresses: ['192.0.2.1'],
      sourceAddresses: ['192.0.2.1'],
    }),
    async close() {},
  };
}

function fakeDaemon(facts: Partial<Daemon> & { readonly name: DaemonName }, acts: string[]): Daemon {
  const { name } = facts;
  const serves = name === 'nginx' || name === 'apache2';
  let running = true;
  const act = (verb: string, after: boolean) => async (): Promise<void> => {
    acts.push(`${name} ${verb}`);
    running = after;
  };
  return {
    program: `/usr/sbin/${name.replace('@', '')}`,
    configArguments: [],
    includeDir: `/etc/${name.replace('@', '/')}/conf.d`,
    addresses: serves ? ['192.0.2.1'] : [],
    port: serves ? 80 : 0,
    socket: name === 'mariadb' ? '/run/mysqld/mysqld.sock' : '',
    user: name === 'mariadb' ? 'mysql' : 'www-data',
    isRunning: async () => running,
    start: act('start', true),
    reload: act('reload', true),
    restart: act('restart', true),
    stop: act('stop', false),
    ...facts,
  };
}

function fakeFiles(tree: Map<string, FakeEntry>): Files {
  const same = (entry: FileOptions, { mode, owner, group }: FileOptions): boolean =>
    entry.mode === mode && entry.owner === owner && entry.group === group;
  return {
    async read(path) {
      const entry = tree.get(path);
      if (entry?.kind === 'link') return this.read(entry.target);
      return entry?.kind === 'file' ? entry.content : undefined;
    },
    async write(path, content, fileOptions) {
      tree.set(path, { kind: 'file', content: Buffer.from(content).toString(), ...fileOptions });
    },
    async matches(path, content, fileOptions) {
      const entry = tree.get(path);
      return entry?.kind === 'file' && entry.content === content && same(entry, fileOptions);
    },
    async directory(path, fileOptions) {
      for (let up = dirname(path); up !== '/' && !tree.has(up); up = dirname(up)) {
        tree.set(up, { kind: 'directory', mode: 0o755 });
      }
      tree.set(path, { kind: 'directory', ...fileOptions });
    },
    async directoryMatches(path, fileOptions) {
      const entry = tree.get(path);
      return entry?.kind === 'directory' && same(entry, fileOptions);
    },
    async link(target, path) {
      tree.set(path, { kind: 'link', target });
    },
    async readLink(path) {
      const entry = tree.get(path);
      return entry?.kind === 'link' ? entry.target : undefined;
    },
    async exists(path) {
      return tree.has(path) || [...tree.keys()].some((key) => key.startsWith(`${path}/`));
    },
    async list(path) {
      const below = [...tree.keys()].filter((key) => key.startsWith(`${path}/`));
      return [...new Set(below.map((key) => key.slice(path.length + 1).split('/')[0] ?? ''))].sort();
    },
    async remove(path) {
      for (const key of tree.keys()) if (key === path || key.startsWith(`${path}/`)) tree.delete(key);
    },
  };
}

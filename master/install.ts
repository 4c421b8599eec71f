// aegir-master install: puts the binaries where they belong on a systemd host, makes the user and the configuration, and
// starts the service. May be repeated: configuration and data that are there stay, the binaries are replaced.
import { execFileSync, spawnSync } from 'node:child_process';
import {
  chmodSync,
  copyFileSync,
  existsSync,
  mkdirSync,
  readdirSync,
  renameSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { connect } from 'node:net';
import { hostname, networkInterfaces } from 'node:os';
import { dirname, join } from 'node:path';
import { isSea } from 'node:sea';
import { AegirError } from '../shared/error.ts';
import { DEFAULT_PORTS, type Listen, parseMasterConfig, readMasterConfig, showListen } from './config.ts';

export interface InstallOptions {
  /** Empty: this host's addresses, then its name. */
  readonly advertise: readonly string[];
  say(line: string): void;
}

export const DEFAULT_CONFIG = '/etc/aegir/master.json';
const HOME = '/usr/lib/aegir';
const DATA = '/var/lib/aegir';
const UNIT = 'aegir-master.service';
const USER = 'aegir';
const START_TIMEOUT_MS = 60_000;
const ANY: ReadonlySet<string> = new Set(['0.0.0.0', '::']);

export async function install({ advertise, say }: InstallOptions): Promise<void> {
  const refuse = (why: string): never => {
    throw new AegirError('failed_precondition', `cannot install the master: ${why}`);
  };
  if (!isSea()) refuse('this is not the master binary; make one with: npm run build');
  if (process.getuid?.() !== 0) refuse('root is needed; run it with sudo');
  if (!existsSync('/run/systemd/system')) refuse('this host does not run systemd');
  if (spawnSync('nats-server', ['--version']).error !== undefined)
    refuse('its mesh node needs nats-server; run: apt-get install nats-server');
  const from = dirname(process.execPath);
  const needed = ['aegir-master', 'libatomic.so.1', UNIT];
  const missing = needed.find((name) => !existsSync(join(from, name)));
  if (missing !== undefined) refuse(`${missing} is not beside the binary; unpack the whole archive`);

  if (from !== HOME) {
    mkdirSync(HOME, { recursive: true, mode: 0o755 });
    // The command line, and the agent that new hosts fetch, when they lie beside.
    const more = readdirSync(from).filter((name) => name === 'aegir' || /^aegir-agent-linux-\w+\.tar\.gz$/.test(name));
    for (const name of [...needed, ...more])
      replace(join(from, name), join(HOME, name), name.startsWith('aegir') && !name.includes('.') ? 0o755 : 0o644);
  }
  if (existsSync(join(HOME, 'aegir'))) {
    rmSync('/usr/bin/aegir', { force: true });
    symlinkSync(join(HOME, 'aegir'), '/usr/bin/aegir');
  }
  if (spawnSync('id', ['--user', USER]).status !== 0) {
    execFileSync('useradd', ['--system', '--home-dir', DATA, '--no-create-home', '--shell', '/usr/sbin/nologin', USER]);
    say(`Made the system user ${USER}.`);
  }
  if (existsSync(DEFAULT_CONFIG)) say(`Kept ${DEFAULT_CONFIG}.`);
  else {
    const settings = { dataDir: DATA, advertise: advertise.length > 0 ? advertise : ownNames() };
    parseMasterConfig(settings);
    mkdirSync(dirname(DEFAULT_CONFIG), { recursive: true, mode: 0o755 });
    writeFileSync(DEFAULT_CONFIG, `${JSON.stringify(settings, null, 2)}\n`, { mode: 0o644 });
    say(`Wrote ${DEFAULT_CONFIG}: reached as ${settings.advertise.join(', ')}.`);
  }
  replace(join(HOME, UNIT), join('/etc/systemd/system', UNIT), 0o644);
  for (const args of [['daemon-reload'], ['enable', '--quiet', UNIT], ['restart', UNIT]])
    execFileSync('systemctl', args, { stdio: ['ignore', 'ignore', 'inherit'] });

  const { dataDir, listen, advertise: names } = readMasterConfig(DEFAULT_CONFIG);
  const token = join(dataDir, 'admin.token');
  // The API listens last, when everything else runs.
  const deadline = Date.now() + START_TIMEOUT_MS;
  while (!(await answers(listen.api))) {
    if (Date.now() > deadline) refuse(`it does not start; see: journalctl -u ${UNIT}`);
    await new Promise((resolve) => setTimeout(resolve, 200));
  }
  say('The master runs. As root, or with a copy of these two files:');
  const address = showListen({ host: names[0], port: listen.api.port });
  say(`  aegir context add ${hostname()} --address ${address} --ca ${join(dataDir, 'ca.pem')} --token-file ${token}`);
  say('Then, for each server:');
  say('  aegir server join-command');
  say(`Agents reach it on the ports ${DEFAULT_PORTS.agent} to ${DEFAULT_PORTS.mesh}, people on ${listen.api.port}.`);
}

function answers({ host, port }: Listen): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect({ host: ANY.has(host) ? 'localhost' : host, port, timeout: 1000 });
    const end = (answer: boolean) => () => {
      socket.destroy();
      resolve(answer);
    };
    socket.once('connect', end(true)).once('error', end(false)).once('timeout', end(false));
  });
}

/** What others can reach this host by, as far as it knows itself. */
function ownNames(): string[] {
  const addresses = Object.values(networkInterfaces())
    .flatMap((each) => each ?? [])
    .filter(({ internal, family, scopeid }) => !internal && (family === 'IPv4' || scopeid === 0))
    .map(({ address }) => address);
  return [...new Set([...addresses, hostname()])];
}

/** A running binary cannot be written to, but it can be replaced. */
function replace(source: string, target: string, mode: number): void {
  const fresh = `${target}.new`;
  copyFileSync(source, fresh);
  chmodSync(fresh, mode);
  renameSync(fresh, target);
}

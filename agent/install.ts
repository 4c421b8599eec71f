// aegir-agent install: puts this binary where it belongs on a systemd host, joins, and starts it as a service.
// May be repeated: a host that has joined already keeps its identity and gets the new binary.
import { execFileSync } from 'node:child_process';
import { chmodSync, copyFileSync, existsSync, mkdirSync, renameSync, rmSync, symlinkSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { isSea } from 'node:sea';
import { AegirError } from '../shared/error.ts';

export interface InstallDeps {
  hasIdentity(): Promise<boolean>;
  /** Joins; answers a line for the person. */
  join(): Promise<string>;
  /** Join even when the host has an identity. */
  readonly again: boolean;
  say(line: string): void;
}

const HOME = '/usr/lib/aegir';
const COMMAND = '/usr/bin/aegir-agent';
const UNIT = '/etc/systemd/system/aegir-agent.service';
const FILES = ['aegir-agent', 'libatomic.so.1', 'aegir-agent.service'] as const;

export async function install(deps: InstallDeps): Promise<void> {
  const refuse = (why: string): never => {
    throw new AegirError('failed_precondition', `cannot install the agent: ${why}`);
  };
  if (!isSea()) refuse('this is not the agent binary; make one with: npm run build');
  if (process.getuid?.() !== 0) refuse('root is needed; run it with sudo');
  if (!existsSync('/run/systemd/system')) refuse('this host does not run systemd');
  const from = dirname(process.execPath);
  const missing = FILES.find((name) => !existsSync(join(from, name)));
  if (missing !== undefined) refuse(`${missing} is not beside the binary; unpack the whole archive`);

  // First of all: a token that is refused leaves nothing on the host.
  if (deps.again || !(await deps.hasIdentity())) deps.say(await deps.join());
  else deps.say('This host has joined already and keeps its identity; use --again for a new one.');
  if (from !== HOME) {
    mkdirSync(HOME, { recursive: true, mode: 0o755 });
    for (const name of FILES) replace(join(from, name), join(HOME, name), name === 'aegir-agent' ? 0o755 : 0o644);
  }
  rmSync(COMMAND, { force: true });
  symlinkSync(join(HOME, 'aegir-agent'), COMMAND);
  replace(join(HOME, 'aegir-agent.service'), UNIT, 0o644);
  deps.say(`Installed ${COMMAND} and ${UNIT}.`);
  for (const args of [['daemon-reload'], ['enable', '--quiet', 'aegir-agent'], ['restart', 'aegir-agent']]) {
    execFileSync('systemctl', args, { stdio: ['ignore', 'ignore', 'inherit'] });
  }
  deps.say('The agent runs; see: systemctl status aegir-agent');
}

/** A running binary cannot be written to, but it can be replaced. */
function replace(source: string, target: string, mode: number): void {
  const fresh = `${target}.new`;
  copyFileSync(source, fresh);
  chmodSync(fresh, mode);
  renameSync(fresh, target);
}

// What a running agent says of itself, for `aegir-agent status`: one small file beside the identity.
import { join } from 'node:path';
import type { Files } from './host/host.ts';
import type { IdentityStore } from './identity.ts';
import { validity } from './session/renewal.ts';
import type { SessionState } from './session.ts';

export interface StatusFile {
  write(state: SessionState): Promise<void>;
}

interface Written extends SessionState {
  readonly pid: number;
  readonly since: string;
}

export function createStatusFile(files: Files, stateDir: string, now: () => number): StatusFile {
  return {
    async write(state) {
      const written: Written = { ...state, pid: process.pid, since: new Date(now()).toISOString() };
      await files.write(pathIn(stateDir), `${JSON.stringify(written)}\n`, { mode: 0o600 });
    },
  };
}

export interface Status {
  readonly joined: boolean;
  readonly running: boolean;
  /** Lines for people. */
  readonly lines: readonly string[];
}

export async function readStatus(files: Files, store: IdentityStore, stateDir: string, now: number): Promise<Status> {
  const identity = await store.load();
  if (identity === undefined) {
    return { joined: false, running: false, lines: ['This host has not joined; use the line that the master prints.'] };
  }
  const written = parse(await files.read(pathIn(stateDir)));
  const running = written !== undefined && isAlive(written.pid);
  const { to } = validity(identity.certificatePem);
  return {
    joined: true,
    running,
    lines: [
      `server       ${identity.name} (${identity.serverId})`,
      `certificate  ${now <= to ? 'until' : 'EXPIRED at'} ${new Date(to).toISOString()}`,
      `masters      ${identity.masters.join(', ')}`,
      `agent        ${running ? `running (pid ${written.pid})` : 'not running'}`,
      ...(running ? [`session      ${describe(written)}`] : []),
    ],
  };
}

function describe({ is, master, serverState, since, why }: Written): string {
  const at = master === '' ? '' : ` to ${master}`;
  const state = serverState === '' ? '' : `, server ${serverState}`;
  return `${is}${at}${state} since ${since}${why === '' ? '' : `: ${why}`}`;
}

function pathIn(stateDir: string): string {
  return join(stateDir, 'status.json');
}

function parse(text: string | undefined): Written | undefined {
  if (text === undefined) return undefined;
  try {
    return JSON.parse(text) as Written;
  } catch {
    return undefined; // another version's: as good as none
  }
}

function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === 'EPERM';
  }
}

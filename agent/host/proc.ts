// What the kernel says about processes (/proc): who runs which program, in which group, since when.
import { readdir, readFile, readlink } from 'node:fs/promises';

export interface ProcessFacts {
  readonly pid: number;
  readonly parent: number;
  readonly group: number;
  /** Kernel state letter; Z is a zombie, which runs no more. */
  readonly state: string;
  /** Clock ticks since boot; with pid it names a process for good. */
  readonly startTicks: number;
}

export async function listProcesses(): Promise<readonly ProcessFacts[]> {
  const names = (await readdir('/proc')).filter((name) => /^[0-9]+$/.test(name));
  const all = await Promise.all(names.map((name) => processFacts(Number(name))));
  return all.filter((facts) => facts !== undefined);
}

/** undefined when there is no such process. */
export async function processFacts(pid: number): Promise<ProcessFacts | undefined> {
  const text = await readProc(pid, 'stat');
  return text === undefined ? undefined : parseStat(text);
}

/** /proc/PID/stat; the second field is a free text in parentheses that may itself contain anything. */
export function parseStat(text: string): ProcessFacts | undefined {
  const open = text.indexOf('(');
  const close = text.lastIndexOf(')');
  if (open < 0 || close < open) return undefined;
  const fields = text.slice(close + 2).split(' ');
  return {
    pid: Number.parseInt(text, 10),
    state: fields[0] ?? '',
    parent: Number(fields[1]),
    group: Number(fields[2]),
    startTicks: Number(fields[19]),
  };
}

/** Its arguments, or the title it gave itself; empty when it is gone or hides it. */
export async function commandLine(pid: number): Promise<string> {
  return ((await readProc(pid, 'cmdline')) ?? '').replaceAll('\0', ' ').trim();
}

/** Path of its program; undefined when it is gone or belongs to somebody else. */
export async function programOf(pid: number): Promise<string | undefined> {
  try {
    return (await readlink(`/proc/${pid}/exe`)).replace(/ \(deleted\)$/, '');
  } catch {
    return undefined;
  }
}

/** undefined when it is gone or belongs to somebody else. */
export async function workingDirectoryOf(pid: number): Promise<string | undefined> {
  try {
    return await readlink(`/proc/${pid}/cwd`);
  } catch {
    return undefined;
  }
}

/** Any of its real, effective, saved and file system user ids. */
export async function userIdsOf(pid: number): Promise<readonly number[]> {
  const line = /^Uid:\s+(.*)$/m.exec((await readProc(pid, 'status')) ?? '')?.[1] ?? '';
  return line.split(/\s+/).filter(Boolean).map(Number);
}

async function readProc(pid: number, file: string): Promise<string | undefined> {
  try {
    return await readFile(`/proc/${pid}/${file}`, 'utf8');
  } catch {
    return undefined; // gone between listing and reading
  }
}

/** NAME=value, as it was started with; empty when it is gone or belongs to somebody else. */
export async function environmentOf(pid: number): Promise<readonly string[]> {
  return ((await readProc(pid, 'environ')) ?? '').split('\0');
}

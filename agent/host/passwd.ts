// Users and groups as the system's databases (files, LDAP, …) know them, through getent.
import { AegirError } from '../../shared/error.ts';
import type { Command, CommandResult } from './host.ts';
import { ourselves, runProcess } from './process.ts';

export interface PasswdEntry {
  readonly name: string;
  readonly uid: number;
  readonly gid: number;
  readonly home: string;
}

export interface GroupEntry {
  readonly name: string;
  readonly gid: number;
}

type Run = (command: Command) => Promise<CommandResult>;
const asOurselves: Run = (command) => runProcess(command, ourselves());

/** By name or number. */
export async function findUser(who: string | number, run: Run = asOurselves): Promise<PasswdEntry | undefined> {
  const line = await getent('passwd', who, run);
  return line === undefined ? undefined : parsePasswd(line);
}

/**
 * Since which day (since 1970) the account of a user has expired, or will have; undefined when it does not expire, or there
 * is no such account. Only root may ask.
 */
export async function findExpiry(name: string, run: Run = asOurselves): Promise<number | undefined> {
  const expiry = (await getent('shadow', name, run))?.split(':')[7] ?? '';
  return /^[0-9]{1,9}$/.test(expiry) ? Number(expiry) : undefined;
}

export async function findGroup(who: string | number, run: Run = asOurselves): Promise<GroupEntry | undefined> {
  const [name, , gid] = (await getent('group', who, run))?.split(':') ?? [];
  return name === undefined || gid === undefined ? undefined : { name, gid: Number(gid) };
}

export function parsePasswd(line: string): PasswdEntry | undefined {
  const [name, , uid, gid, , home] = line.split(':');
  if (!name || !uid || !gid || home === undefined) return undefined;
  return { name, uid: Number(uid), gid: Number(gid), home };
}

async function getent(database: string, key: string | number, run: Run): Promise<string | undefined> {
  const { code, stdout, stderr } = await run({ argv: ['getent', '--', database, String(key)] });
  if (code === 0) return stdout.split('\n')[0];
  if (code === 2) return undefined;
  throw new AegirError(
    'unavailable',
    `cannot look up ${key} in ${database}: getent ended with ${code} ${stderr.trim()}`,
  );
}

// git as we run it: a bare repository in the scratch directory, nobody's configuration but ours, no hooks, filters or
// prompts, one protocol, and ssh by our own configuration.
import { join } from 'node:path';
import { AegirError } from '../../../../shared/error.ts';
import type { CommandResult } from '../../../host/host.ts';
import { inTime } from '../remote-carrier.ts';
import type { Scratch } from '../scratch.ts';
import { openSsh, type Ssh, sshFailure } from '../ssh.ts';
import { localRemote } from './local.ts';
import type { GitSettings } from './settings.ts';

export interface Repository {
  readonly where: string;
  /** Throws what the code means. Answers what git printed. */
  git(doing: string, args: readonly string[], options?: { input?: string; timeoutMs?: number }): Promise<string>;
  /** With any code. */
  ask(doing: string, args: readonly string[], options?: { input?: string; timeoutMs?: number }): Promise<CommandResult>;
  failure(result: CommandResult, doing: string): AegirError;
  close(): Promise<void>;
}

const CONFIG = `[core]
	hooksPath = /dev/null
	autocrlf = false
	fsmonitor = false
	askPass =
[credential]
	helper =
[gc]
	auto = 0
[maintenance]
	auto = false
[fetch]
	fsckObjects = true
[protocol]
	version = 2
[http]
	followRedirects = false
	lowSpeedLimit = 1000
	lowSpeedTime = 60
[push]
	recurseSubmodules = no
[commit]
	gpgSign = false
`;

export async function openRepository(settings: GitSettings, scratch: Scratch): Promise<Repository> {
  const { url, protocol } = settings;
  const local = protocol === 'file' ? await localRemote(url, scratch) : undefined;
  const ssh: Ssh | undefined = settings.ssh === undefined ? undefined : await openSsh(settings.ssh, scratch);
  const ca = settings.ca === undefined ? '' : `	sslCAInfo = ${await scratch.write('ca.pem', `${settings.ca}\n`)}\n`;
  // git itself takes what is root's for foreign, unless told.
  const safe = local === undefined ? '' : `[safe]\n	directory = ${JSON.stringify(local.path)}\n`;
  const global = await scratch.write('gitconfig', CONFIG.replace('[http]\n', `[http]\n${ca}`) + safe);
  const env: Record<string, string> = {
    ...ssh?.env,
    GIT_DIR: join(scratch.dir, 'repository'),
    GIT_INDEX_FILE: scratch.path('index'),
    GIT_CONFIG_NOSYSTEM: '1',
    GIT_CONFIG_GLOBAL: global,
    GIT_ATTR_NOSYSTEM: '1',
    GIT_TERMINAL_PROMPT: '0',
    GIT_ALLOW_PROTOCOL: protocol,
    GIT_ASKPASS: await askpass(settings, scratch),
    GIT_AUTHOR_NAME: 'Aegir',
    GIT_AUTHOR_EMAIL: 'aegir@localhost',
    GIT_COMMITTER_NAME: 'Aegir',
    GIT_COMMITTER_EMAIL: 'aegir@localhost',
  };
  if (ssh !== undefined) {
    // git splits this by a shell; the scratch directory has plain characters alone.
    env['GIT_SSH_COMMAND'] = ['ssh', ...ssh.options].join(' ');
    env['GIT_SSH_VARIANT'] = 'ssh';
  }
  const where = `the repository ${url}`;
  const ask: Repository['ask'] = (doing, args, options = {}) =>
    inTime(doing, where, scratch.run({ argv: ['git', ...args], env, ...options }));
  const repository: Repository = {
    where,
    ask,
    async git(doing, args, options) {
      const result = await ask(doing, args, options);
      if (result.code === 0) return result.stdout;
      throw repository.failure(result, doing);
    },
    failure: (result, doing) => failureOf(result, doing, where, ssh, local?.user),
    close: async () => ssh?.close(),
  };
  try {
    await repository.git('open the store', ['init', '--quiet', '--bare', '--template=', '--initial-branch=none']);
    const remote = { url: local?.path ?? url, uploadpack: local?.uploadPack, receivepack: local?.receivePack };
    for (const [key, value] of Object.entries(remote)) {
      if (value !== undefined) await repository.git('open the store', ['config', `remote.origin.${key}`, value]);
    }
  } catch (thrown) {
    await repository.close();
    throw thrown;
  }
  return repository;
}

/** A program that tells user and password when asked; without a password, one that tells nothing. */
async function askpass({ https }: GitSettings, scratch: Scratch): Promise<string> {
  if (https?.password === undefined) return '/bin/false';
  await scratch.write('user', `${https.user}\n`);
  await scratch.write('password', `${https.password}\n`);
  const script = `#!/bin/sh
cd "$(dirname "$0")" || exit 1
case "$1" in
  Username*) exec cat user ;;
  Password*) exec cat password ;;
esac
exit 1
`;
  return scratch.write('askpass-git', script, 0o700);
}

/** user: as whom git writes to a repository on this server. */
export function failureOf(
  result: CommandResult,
  doing: string,
  where: string,
  ssh: Ssh | undefined,
  user?: string,
): AegirError {
  const said = `${result.stderr}\n${result.stdout}`;
  const known = ssh === undefined ? undefined : sshFailure(said, doing, ssh.where);
  if (known !== undefined) return known;
  const error = (code: ConstructorParameters<typeof AegirError>[0], why: string) =>
    new AegirError(code, `cannot ${doing}: ${where} ${why}`, { cause: new Error(said) });
  if (/no space left|disk quota/i.test(said)) return error('resource_exhausted', 'is full; make room there');
  if (/dubious ownership/.test(said)) {
    return error('failed_precondition', 'belongs to others, as git sees it; give it to the user that we are there');
  }
  if (
    /authentication failed|could not read (?:username|password)|terminal prompts disabled|error: 40[13]/i.test(said)
  ) {
    return error('permission_denied', 'does not accept our user and password');
  }
  if (/certificate|SSL|TLS/.test(said) && /verif|problem|unable to get|self.signed/i.test(said)) {
    return error(
      'failed_precondition',
      'shows a certificate that no authority we trust vouches for; give it with --secret ca=FILE',
    );
  }
  if (
    /read-only file system|insufficient permission|unable to create|unpacker error|remote rejected|hook declined|protected branch|not allowed to push|read.only|unable to write|write access|permission denied|permission to \S+ denied/i.test(
      said,
    )
  ) {
    const why =
      user === undefined
        ? 'does not let us write to it; give the right to push to its branch'
        : `does not let user ${user}, as whom git runs there, write to it; give it to that user (chown -R)`;
    return error('permission_denied', why);
  }
  if (
    /does not appear to be a git repository|repository .*not found|not found|no such file|does not exist|not a git repository|no path specified/i.test(
      said,
    )
  ) {
    return error(
      'failed_precondition',
      'is not there, or not for us; make it there (git init --bare), or correct the url',
    );
  }
  if (
    /could not resolve|connection refused|timed out|couldn't connect|failed to connect|unable to access|connection reset|too slow/i.test(
      said,
    )
  ) {
    return error('unavailable', 'does not answer');
  }
  if (/hung up|disconnect|RPC failed/i.test(said)) {
    return error('unavailable', 'broke the connection off; is it read-only, or full? its log on the server says why');
  }
  const last = result.stderr.trim().split('\n').at(-1)?.slice(0, 300) ?? '';
  return new AegirError('unavailable', `cannot ${doing}: git at ${where}: ${last || `code ${result.code}`}`, {
    cause: new Error(said),
  });
}

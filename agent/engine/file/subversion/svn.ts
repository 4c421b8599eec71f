// svn and svnmucc as we run them: a configuration of our own, no cached credentials, no prompts, the password on their
// input.
import { AegirError } from '../../../../shared/error.ts';
import type { ServiceRef } from '../../../../shared/gen/aegir/v1/spec.ts';
import type { CommandResult } from '../../../host/host.ts';
import { inTime } from '../remote-carrier.ts';
import type { Scratch } from '../scratch.ts';
import { checkKeys, needed, optional, passwordOf, userOf, wrong } from '../settings.ts';

export interface SvnSettings {
  /** Without a slash at the end. */
  readonly url: string;
  readonly user: string | undefined;
  readonly password: string | undefined;
  /** Certificates of authorities, PEM. */
  readonly ca: string | undefined;
}

export interface Svn {
  readonly where: string;
  /** With any code. */
  ask(program: 'svn' | 'svnmucc', doing: string, args: readonly string[], timeoutMs?: number): Promise<CommandResult>;
  failure(result: CommandResult, doing: string): AegirError;
}

export function svnSettings(service: ServiceRef): SvnSettings {
  checkKeys(service, { settings: ['url', 'user'], secrets: ['password', 'ca'] });
  const url = needed(service, 'settings', 'url').replace(/\/+$/, '');
  const parsed = URL.canParse(url) && /^[A-Za-z0-9:/._~%+[\]-]{1,1000}$/.test(url) ? new URL(url) : undefined;
  const good =
    parsed !== undefined &&
    parsed.username === '' &&
    !url.includes('/../') &&
    /^(?:svn|https|file):$/.test(parsed.protocol) &&
    (parsed.protocol !== 'file:' || (parsed.hostname === '' && !/%(?:2f|00)/i.test(url)));
  if (!good) {
    throw wrong(
      service,
      'settings "url"',
      'svn://HOST/PATH, https://HOST/PATH or file:///PATH is needed, without a user, password or "@" in it',
    );
  }
  const user = optional(service, 'settings', 'user') === undefined ? undefined : userOf(service);
  const password = passwordOf(service);
  if ((user === undefined) !== (password === undefined)) {
    throw wrong(service, 'settings "user"', 'a user and the secret "password" are needed both, or neither');
  }
  return { url, user, password, ca: optional(service, 'secrets', 'ca') };
}

/** runsAs: who writes to a repository on this server. */
export async function openSvn(settings: SvnSettings, scratch: Scratch, runsAs?: string): Promise<Svn> {
  const { url, user, password } = settings;
  const dir = scratch.path('svn');
  const ca =
    settings.ca === undefined ? '' : `ssl-authority-files = ${await scratch.write('ca.pem', `${settings.ca}\n`)}\n`;
  const made = await scratch.run({ argv: ['mkdir', '-m', '700', '--', dir] });
  if (made.code !== 0) throw new AegirError('internal', `cannot make a configuration for svn: ${made.stderr.trim()}`);
  await scratch.write(
    'svn/config',
    '[auth]\npassword-stores =\n[tunnels]\n[miscellany]\nenable-auto-props = no\nuse-commit-times = no\n',
  );
  await scratch.write(
    'svn/servers',
    `[global]\nstore-auth-creds = no\nstore-passwords = no\nstore-ssl-client-cert-pp = no\nhttp-timeout = 60\n${ca}`,
  );
  const where = `the repository ${url}`;
  const who = user === undefined ? [] : ['--username', user, '--password-from-stdin'];
  return {
    where,
    ask: (program, doing, args, timeoutMs) =>
      inTime(
        doing,
        where,
        scratch.run({
          argv: [program, '--non-interactive', '--no-auth-cache', '--config-dir', dir, ...who, ...args],
          ...(password === undefined ? {} : { input: `${password}\n` }),
          ...(timeoutMs === undefined ? {} : { timeoutMs }),
        }),
      ),
    failure: (result, doing) => failureOf(result, doing, where, runsAs),
  };
}

export function failureOf(result: CommandResult, doing: string, where: string, runsAs?: string): AegirError {
  const said = result.stderr;
  const error = (code: ConstructorParameters<typeof AegirError>[0], why: string) =>
    new AegirError(code, `cannot ${doing}: ${where} ${why}`);
  if (/E000028|no space left|disk quota/i.test(said)) return error('resource_exhausted', 'is full; make room there');
  if (/E230001|certificate/i.test(said)) {
    return error(
      'failed_precondition',
      'shows a certificate that no authority we trust vouches for; give it with --secret ca=FILE',
    );
  }
  if (/authentication (?:error|failed)|password incorrect|username not found|no more credentials|E215004/i.test(said)) {
    return error('permission_denied', 'does not accept our user and password');
  }
  if (
    /E000030|read-only|E000013|permission denied|authorization failed|access (?:denied|forbidden)|E195023|forbidden|write access|E165001/i.test(
      said,
    )
  ) {
    const why =
      runsAs === undefined
        ? 'does not let that user write to it; give the right there'
        : `does not let user ${runsAs}, as whom svn runs there, write to it; give it to that user (chown -R)`;
    return error('permission_denied', why);
  }
  if (
    /E170013|E000111|connection refused|can't connect|unknown host|E670002|timed out|E000110|E000113|connection closed/i.test(
      said,
    )
  ) {
    if (!/E180001|no such file|E000002/i.test(said)) return error('unavailable', 'does not answer');
  }
  if (
    /E170000|E180001|E210005|E160013|E200009|no repository found|unable to open|doesn't exist|non-existent/i.test(said)
  ) {
    return error('failed_precondition', 'is not there; make it there (svnadmin create, svn mkdir), or correct the url');
  }
  const last = said.trim().split('\n').at(-1)?.slice(0, 300) ?? '';
  return new AegirError('unavailable', `cannot ${doing}: svn at ${where}: ${last || `code ${result.code}`}`);
}

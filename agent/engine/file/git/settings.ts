// What people declared of a git service: which repository, by which way, with which credentials. Pure.
import { isIP } from 'node:net';
import type { ServiceRef } from '../../../../shared/gen/aegir/v1/spec.ts';
import { hostName } from '../../../../shared/name.ts';
import { checkKeys, directoryOf, needed, optional, passwordOf, userOf, wrong } from '../settings.ts';
import { type SshSettings, sshCredentials } from '../ssh.ts';

export interface GitSettings {
  readonly url: string;
  readonly protocol: 'ssh' | 'https' | 'file';
  readonly branch: string;
  readonly ssh: SshSettings | undefined;
  readonly https: { readonly user: string | undefined; readonly password: string | undefined } | undefined;
  /** Certificates of authorities, PEM. */
  readonly ca: string | undefined;
}

export function gitSettings(service: ServiceRef): GitSettings {
  checkKeys(service, { settings: ['url', 'branch', 'user', 'host-key'], secrets: ['key', 'password', 'ca'] });
  const url = needed(service, 'settings', 'url');
  const common = { url, branch: branchOf(service), ca: optional(service, 'secrets', 'ca') };
  if (url.startsWith('/')) {
    return { ...common, url: directoryOf(service, 'url'), protocol: 'file', ssh: undefined, https: undefined };
  }
  const short = /^([A-Za-z0-9_][A-Za-z0-9_.+-]*)@([A-Za-z0-9.-]+):([A-Za-z0-9._~][A-Za-z0-9._~/+-]*)$/.exec(url);
  if (short !== null) {
    const [, user = '', name = ''] = short;
    const host = addressOf(name);
    if (host === undefined) throw refused(service);
    return { ...common, protocol: 'ssh', ssh: { host, port: 22, user, ...sshCredentials(service) }, https: undefined };
  }
  const parsed = URL.canParse(url) && /^[\x21-\x7e]{1,1000}$/.test(url) ? new URL(url) : undefined;
  const plain = parsed !== undefined && parsed.password + parsed.search + parsed.hash === '' && !/["'\\`$]/.test(url);
  if (parsed === undefined || !plain || parsed.hostname === '') throw refused(service);
  if (parsed.protocol === 'ssh:') {
    const user = parsed.username;
    if (!/^[A-Za-z0-9_][A-Za-z0-9_.+-]*$/.test(user)) throw refused(service);
    const host = addressOf(parsed.hostname);
    if (host === undefined) throw refused(service);
    const port = Number(parsed.port || 22);
    return { ...common, protocol: 'ssh', ssh: { host, port, user, ...sshCredentials(service) }, https: undefined };
  }
  if (parsed.protocol !== 'https:' || parsed.username !== '') throw refused(service);
  const password = passwordOf(service);
  const user = optional(service, 'settings', 'user') === undefined ? undefined : userOf(service);
  if (password !== undefined && user === undefined) throw wrong(service, 'settings "user"', 'a password needs one');
  return { ...common, protocol: 'https', ssh: undefined, https: { user, password } };
}

function addressOf(text: string): string | undefined {
  const bare = text.replace(/^\[|\]$/g, '');
  if (isIP(bare) !== 0) return bare;
  try {
    return hostName(bare);
  } catch {
    return undefined;
  }
}

function refused(service: ServiceRef): Error {
  return wrong(
    service,
    'settings "url"',
    'ssh://USER@HOST/PATH, USER@HOST:PATH, https://HOST/PATH (without a user or password in it) or an absolute path is needed',
  );
}

function branchOf(service: ServiceRef): string {
  const text = optional(service, 'settings', 'branch') ?? 'aegir';
  const good = text
    .split('/')
    .every((part) => /^[A-Za-z0-9_][A-Za-z0-9._-]*$/.test(part) && !/\.lock$|\.$|\.\./.test(part));
  if (good && text.length <= 100) return text;
  throw wrong(service, 'settings "branch"', `${JSON.stringify(text)} is no name of a branch`);
}

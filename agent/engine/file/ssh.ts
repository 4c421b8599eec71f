// How ssh and the programs on top of it (sftp, scp, git) reach one server: by a configuration of our own alone, the host key
// pinned, nothing forwarded, credentials in the scratch directory. One connection carries all that is asked over it.
import { createHash } from 'node:crypto';
import { AegirError } from '../../../shared/error.ts';
import type { ServiceRef } from '../../../shared/gen/aegir/v1/spec.ts';
import type { CommandResult } from '../../host/host.ts';
import type { Scratch } from './scratch.ts';
import { hostOf, needed, optional, passwordOf, portOf, userOf, wrong } from './settings.ts';

/** Stands for the server on command lines; its address is in the configuration. */
export const ALIAS = 'aegir-store';
const CONNECT_S = 10;
/** A UNIX socket's path, and what ssh appends while it makes it. */
const MAX_SOCKET = 107 - 18;
const KEY_TYPE = /^(?:ssh-(?:ed25519|rsa)|ecdsa-sha2-nistp(?:256|384|521)|sk-[a-z0-9@.-]+)$/;

export interface SshSettings {
  readonly host: string;
  readonly port: number;
  readonly user: string;
  /** "TYPE BASE64", or SHA256:… as ssh-keygen -l prints it. */
  readonly hostKey: string;
  readonly key: string | undefined;
  readonly password: string | undefined;
}

export interface Ssh {
  /** Arguments that make ssh, sftp and scp read our configuration. */
  readonly options: readonly ['-F', string];
  readonly env: Readonly<Record<string, string>>;
  readonly where: string;
  /** Ends the shared connection. */
  close(): Promise<void>;
}

export const SSH_SETTINGS = ['host', 'port', 'user', 'host-key'] as const;
export const SSH_SECRETS = ['key', 'password'] as const;

export function sshSettings(service: ServiceRef): SshSettings {
  return { host: hostOf(service), port: portOf(service, 22), user: userOf(service), ...sshCredentials(service) };
}

/** Host key and either a private key or a password. */
export function sshCredentials(service: ServiceRef): Pick<SshSettings, 'hostKey' | 'key' | 'password'> {
  const key = optional(service, 'secrets', 'key');
  const password = passwordOf(service);
  if ((key === undefined) === (password === undefined)) {
    throw wrong(service, 'secrets', 'either "key" (a private key without passphrase) or "password" is needed');
  }
  if (
    key !== undefined &&
    !/^-----BEGIN [A-Z ]*PRIVATE KEY-----\r?\n[\s\S]+-----END [A-Z ]*PRIVATE KEY-----$/.test(key)
  ) {
    throw wrong(service, 'secrets "key"', 'it is no private key as ssh-keygen makes them');
  }
  return { hostKey: hostKeyOf(service), key, password };
}

/** A fingerprint, a public key, or a line of known_hosts. */
function hostKeyOf(service: ServiceRef): string {
  const text = needed(service, 'settings', 'host-key');
  if (/^SHA256:[A-Za-z0-9+/]{43}$/.test(text)) return text;
  const words = text.split(/\s+/);
  const at = words.findIndex((word) => KEY_TYPE.test(word));
  const [type, blob] = [words[at], words[at + 1]];
  if (type !== undefined && blob !== undefined && /^[A-Za-z0-9+/]{40,2000}={0,2}$/.test(blob)) return `${type} ${blob}`;
  throw wrong(
    service,
    'settings "host-key"',
    'a fingerprint (SHA256:…) or a public key (ssh-ed25519 …) is needed, as printed on the server by: ' +
      'ssh-keygen -l -f /etc/ssh/ssh_host_ed25519_key.pub',
  );
}

export async function openSsh(settings: SshSettings, scratch: Scratch): Promise<Ssh> {
  const { host, port, user } = settings;
  const where = `${user}@${host.includes(':') ? `[${host}]` : host}:${port}`;
  await scratch.write('known_hosts', `${ALIAS} ${await publicKey(settings, scratch)}\n`);
  if (settings.key !== undefined) await scratch.write('key', `${settings.key.replaceAll('\r\n', '\n')}\n`);
  if (settings.password !== undefined) {
    await scratch.write('password', `${settings.password}\n`);
    await scratch.write('askpass', `#!/bin/sh\nexec cat ${quoted(scratch.path('password'))}\n`, 0o700);
  }
  const mux = scratch.path('mux');
  const config = await scratch.write(
    'ssh_config',
    render(settings, scratch, mux.length <= MAX_SOCKET ? mux : undefined),
  );
  const env: Record<string, string> = { DISPLAY: '' };
  if (settings.password !== undefined) {
    env['SSH_ASKPASS'] = scratch.path('askpass');
    env['SSH_ASKPASS_REQUIRE'] = 'force';
  }
  return {
    options: ['-F', config],
    env,
    where,
    async close() {
      // It ends by itself too, half a minute later.
      const argv: [string, ...string[]] = ['ssh', '-F', config, '-O', 'exit', ALIAS];
      await scratch.run({ argv, timeoutMs: 10_000, signal: never() }).catch(() => {});
    },
  };
}

/** Of what must also be done when the action was cancelled. */
function never(): AbortSignal {
  return new AbortController().signal;
}

function render({ host, port, user, key }: SshSettings, scratch: Scratch, mux: string | undefined): string {
  const how =
    key === undefined
      ? [
          'BatchMode no',
          'PubkeyAuthentication no',
          'PreferredAuthentications password,keyboard-interactive',
          'IdentityFile none',
        ]
      : [
          'BatchMode yes',
          'PasswordAuthentication no',
          'KbdInteractiveAuthentication no',
          'PreferredAuthentications publickey',
        ];
  const identity = key === undefined ? [] : [`IdentityFile ${inQuotes(scratch.path('key'))}`];
  const shared =
    mux === undefined
      ? ['ControlMaster no']
      : ['ControlMaster auto', `ControlPath ${inQuotes(mux)}`, 'ControlPersist 30'];
  return [
    'Host *',
    `HostName ${host}`,
    `Port ${port}`,
    `User ${user}`,
    ...[...how, ...identity, ...shared],
    'IdentitiesOnly yes',
    'IdentityAgent none',
    `UserKnownHostsFile ${inQuotes(scratch.path('known_hosts'))}`,
    'GlobalKnownHostsFile none',
    `HostKeyAlias ${ALIAS}`,
    'StrictHostKeyChecking yes',
    'CheckHostIP no',
    'UpdateHostKeys no',
    'VerifyHostKeyDNS no',
    'GSSAPIAuthentication no',
    'HostbasedAuthentication no',
    'NumberOfPasswordPrompts 1',
    'ForwardAgent no',
    'ForwardX11 no',
    'ClearAllForwardings yes',
    'ProxyCommand none',
    'PermitLocalCommand no',
    'RequestTTY no',
    `ConnectTimeout ${CONNECT_S}`,
    'ConnectionAttempts 1',
    'ServerAliveInterval 10',
    'ServerAliveCountMax 3',
    'LogLevel ERROR',
    '',
  ].join('\n');
}

/** The pinned key; of a fingerprint, the server's key that has it. */
async function publicKey({ host, port, hostKey }: SshSettings, scratch: Scratch): Promise<string> {
  if (!hostKey.startsWith('SHA256:')) return hostKey;
  const { stdout } = await scratch.run({
    argv: ['ssh-keyscan', '-T', String(CONNECT_S), '-p', String(port), '--', host],
    timeoutMs: 3 * CONNECT_S * 1000,
  });
  const keys = stdout.split('\n').flatMap((line) => {
    const [, type = '', blob = ''] = line.split(' ');
    return KEY_TYPE.test(type) ? [{ type, blob }] : [];
  });
  if (keys.length === 0) throw noAnswer(`${host}:${port}`, 'open the store');
  const found = keys.find(({ blob }) => fingerprint(blob) === hostKey);
  if (found !== undefined) return `${found.type} ${found.blob}`;
  throw otherHost(`${host}:${port}`, 'open the store');
}

export function fingerprint(blob: string): string {
  const digest = createHash('sha256').update(Buffer.from(blob, 'base64')).digest('base64');
  return `SHA256:${digest.replace(/=+$/, '')}`;
}

/** What ssh says when there is no session; undefined when it is about something else. */
export function sshFailure(said: string, doing: string, where: string): AegirError | undefined {
  if (
    /host key verification failed|host identification has changed|no \S+ host key is known|key mismatch/i.test(said)
  ) {
    return otherHost(where, doing);
  }
  if (
    /^(?:\S+: )?Permission denied(?: \([a-z,-]+\)|, please try again)|too many authentication failures/im.test(said)
  ) {
    return new AegirError(
      'permission_denied',
      `cannot ${doing}: ${where} does not accept our key or password for that user`,
    );
  }
  if (/load key .*(?:invalid format|error in libcrypto|incorrect passphrase)/i.test(said)) {
    return new AegirError(
      'failed_precondition',
      `cannot ${doing}: the private key cannot be read; has it a passphrase?`,
    );
  }
  if (
    /connection refused|timed out|no route to host|network is unreachable|could not resolve|connection reset|connection closed|broken pipe|kex_exchange|banner/i.test(
      said,
    )
  ) {
    return noAnswer(where, doing);
  }
  if (/subsystem request failed/i.test(said)) {
    return new AegirError('failed_precondition', `cannot ${doing}: ${where} does not serve sftp to that user`);
  }
  return undefined;
}

function otherHost(where: string, doing: string): AegirError {
  return new AegirError(
    'failed_precondition',
    `cannot ${doing}: ${where} shows another host key than the one that is pinned: it is another machine, or its key was ` +
      'changed; look at it there, then set host-key anew',
  );
}

function noAnswer(where: string, doing: string): AegirError {
  return new AegirError('unavailable', `cannot ${doing}: there is no answer from ${where}`);
}

/** What a remote file system says, in the words of sftp, scp and shells. */
export function remoteFailure(result: CommandResult, doing: string, where: string, path: string): AegirError {
  const said = `${result.stderr}\n${result.stdout}`;
  const known = sshFailure(said, doing, where);
  if (known !== undefined) return known;
  const why = (code: 'permission_denied' | 'failed_precondition' | 'resource_exhausted', text: string) =>
    new AegirError(code, `cannot ${doing}: ${path} at ${where} ${text}`);
  if (/read-only file system/i.test(said)) return why('failed_precondition', 'is read-only');
  if (/permission denied|operation not permitted/i.test(said)) {
    return why('permission_denied', 'may not be written by that user; give it the right, or choose another path');
  }
  if (/no space left|quota exceeded|disc? quota/i.test(said))
    return why('resource_exhausted', 'is full; make room there');
  if (/no such file|not found/i.test(said)) return why('failed_precondition', 'does not exist; make it there');
  // sftp has no word of its own for either.
  if (/(?:open|mkdir|remote delete|rename)\b[^\n]*: Failure/i.test(said)) {
    return why('failed_precondition', 'takes no change: it is read-only, or full (its server says "Failure")');
  }
  if (/\bFailure\b|write failed/i.test(said)) {
    return why('resource_exhausted', 'does not take it (its server says "Failure"); is the disk full?');
  }
  const last = result.stderr.trim().split('\n').at(-1)?.slice(0, 300) ?? '';
  return new AegirError('unavailable', `cannot ${doing}: ${where}: ${last || `code ${result.code}`}`);
}

function inQuotes(path: string): string {
  return `"${path}"`;
}

function quoted(path: string): string {
  return `'${path.replaceAll("'", "'\\''")}'`;
}

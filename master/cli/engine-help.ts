// What is declared of a service, engine by engine, as the help of `service declare` and `service set` shows it.

export interface EngineOptions {
  readonly type: 'dns' | 'file';
  readonly engine: string;
  /** Of --set, in the order in which people need them. */
  readonly settings: readonly string[];
  /** Of --secret. */
  readonly secrets: readonly string[];
  readonly says: string;
}

/** Those that people declare; test/architecture holds it to what the engines know. */
export const DECLARED: readonly EngineOptions[] = [
  {
    ...{ type: 'dns', engine: 'powerdns', settings: ['url'], secrets: ['api-key'] },
    says: 'the API of a PowerDNS elsewhere, http://HOST:PORT; zones are made there by you',
  },
  {
    ...{ type: 'dns', engine: 'rfc2136', secrets: ['key'] },
    settings: ['server', 'key-name', 'key-algorithm', 'zones', 'axfr'],
    says: 'server is HOST or HOST:PORT; key is base64; axfr=no where zones are not transferred',
  },
  {
    ...{ type: 'dns', engine: 'webhook', settings: ['url'], secrets: ['token'] },
    says: 'a webhook provider of external-dns; token only where it asks for one',
  },
  {
    ...{ type: 'file', engine: 'mesh', settings: ['root', 'quota'], secrets: [] },
    says: 'a directory of the server; quota such as 20G',
  },
  {
    ...{ type: 'file', engine: 'mount', settings: ['path', 'share', 'local', 'quota'], secrets: [] },
    says: 'mounted by you; share is its name on all servers; local=true on the root file system',
  },
  ...(['sftp', 'scp'] as const).map((engine) => ({
    ...{ type: 'file' as const, engine, settings: ['host', 'port', 'user', 'path', 'host-key'] },
    ...{ secrets: ['key', 'password'], says: 'key or password; host-key is a fingerprint (SHA256:…) or the key' },
  })),
  {
    ...{ type: 'file', engine: 'git', settings: ['url', 'branch', 'user', 'host-key'] },
    ...{ secrets: ['key', 'password', 'ca'], says: 'url is ssh, https or a path' },
  },
  {
    ...{ type: 'file', engine: 'subversion', settings: ['url', 'user'], secrets: ['password', 'ca'] },
    says: 'url is svn, https or file',
  },
];

export function engineHelp(): string {
  const lines = DECLARED.map(({ type, engine, settings, secrets, says }) => {
    const keys = [`--set ${settings.join(', ')}`, ...(secrets.length === 0 ? [] : [`--secret ${secrets.join(', ')}`])];
    return `  ${`${type}/${engine}`.padEnd(16)} ${keys.join('; ')}\n${' '.repeat(19)}${says}\n`;
  });
  return `\nWhat the engines know (KEY=VALUE with --set, KEY=FILE with --secret):\n${lines.join('')}\nOf every file engine also --set encrypt=true.\n`;
}

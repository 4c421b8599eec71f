// The base configuration of an embedded server's Apache. Pure; sites come from the include directory.

export interface ApacheLayout {
  readonly root: string;
  readonly run: string;
  readonly log: string;
  readonly includeDir: string;
  readonly addresses: readonly string[];
  readonly port: number;
  /** For HTTPS; undefined: it serves none. */
  readonly tlsPort: number | undefined;
}

const MODULES = '/usr/lib/apache2/modules';

/** Those of Debian's default that serving needs, and those that an engine for sites needs; log_config and unixd are built in. */
const LOADED = [
  'mpm_event',
  'alias',
  'auth_basic',
  'authn_core',
  'authn_file',
  'authz_core',
  'authz_host',
  'authz_user',
  'dir',
  'env',
  'headers',
  'mime',
  'proxy',
  'proxy_fcgi',
  'proxy_http',
  'remoteip',
  'reqtimeout',
  'rewrite',
  'setenvif',
];

const FOR_TLS = ['socache_shmcb', 'ssl'];

export function renderApacheConf(layout: ApacheLayout): string {
  const { tlsPort } = layout;
  const addresses = layout.addresses.map((address) => listenAt(address, layout.port));
  const secure = tlsPort === undefined ? [] : layout.addresses.map((address) => listenAt(address, tlsPort));
  const loaded = tlsPort === undefined ? LOADED : [...LOADED, ...FOR_TLS];
  return `# Made by Aegir at every start; changes are lost. Sites are in ${layout.includeDir}.
ServerRoot "${layout.root}"
DefaultRuntimeDir "${layout.run}"
PidFile "${layout.run}/apache2.pid"
# In memory: a file could be left behind by one that was killed.
Mutex pthread
ErrorLog "${layout.log}"
LogLevel notice

${loaded.map((name) => `LoadModule ${name}_module ${MODULES}/mod_${name}.so\n`).join('')}
${[...addresses, ...secure].map((address) => `Listen ${address}\n`).join('')}${tlsPort === undefined ? '' : `SSLSessionCache "shmcb:${layout.run}/ssl_scache(512000)"\n`}
StartServers 2
ServerLimit 16
ThreadsPerChild 16
MaxRequestWorkers 128
MinSpareThreads 16
MaxSpareThreads 48

ServerName localhost
ServerTokens Prod
TypesConfig /etc/mime.types
LogFormat "%h %l %u %t \\"%r\\" %>s %O \\"%{Referer}i\\" \\"%{User-Agent}i\\"" combined
Timeout 60
KeepAlive On
KeepAliveTimeout 5
RequestReadTimeout header=20-40,MinRate=500 body=20,MinRate=500

<Directory "/">
  Options FollowSymLinks
  AllowOverride None
  Require all denied
</Directory>

# The first of its addresses: it answers for names that nobody has.
<VirtualHost ${addresses.join(' ')}>
  ServerName unknown.invalid
  RedirectMatch 404 ^
</VirtualHost>

IncludeOptional ${layout.includeDir}/*.conf
`;
}

/** IPv6 addresses stand in brackets. */
function listenAt(address: string, port: number): string {
  return address.includes(':') ? `[${address}]:${port}` : `${address}:${port}`;
}

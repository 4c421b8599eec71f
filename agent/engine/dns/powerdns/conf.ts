// The configuration of the PowerDNS authoritative server on this host: whether it has an API, where, and by which key.
import type { Daemon, Host } from '../../../host/host.ts';

export interface PdnsConf {
  readonly api: boolean;
  /** undefined when there is none, or only its hash. */
  readonly apiKey: string | undefined;
  readonly apiUrl: string;
  readonly port: number;
  /** Where files of ours are read; undefined when nothing is included. */
  readonly includeDir: string | undefined;
}

export async function readPdnsConf(host: Host, daemon: Daemon): Promise<PdnsConf> {
  const from = daemon.configArguments.find((each) => each.startsWith('--config-dir='));
  const directory = from?.slice('--config-dir='.length) ?? '/etc/powerdns';
  const texts = [(await host.files.read(`${directory}/pdns.conf`)) ?? ''];
  const includeDir = valuesOf(texts).get('include-dir');
  if (includeDir !== undefined) {
    for (const name of await host.files.list(includeDir)) {
      if (name.endsWith('.conf')) texts.push((await host.files.read(`${includeDir}/${name}`)) ?? '');
    }
  }
  return parsePdnsConf(texts, includeDir);
}

/** In the order in which it reads them: the last word on a setting counts. */
export function parsePdnsConf(texts: readonly string[], includeDir?: string): PdnsConf {
  const values = valuesOf(texts);
  const key = values.get('api-key');
  const address = values.get('webserver-address') ?? '127.0.0.1';
  const local = address === '0.0.0.0' || address === '::' ? '127.0.0.1' : address;
  const host = local.includes(':') ? `[${local}]` : local;
  return {
    api: isOn(values.get('api')),
    apiKey: key === undefined || key === '' || key.startsWith('$scrypt$') ? undefined : key,
    apiUrl: `http://${host}:${values.get('webserver-port') ?? '8081'}`,
    port: Number(values.get('local-port') ?? 53),
    includeDir,
  };
}

function valuesOf(texts: readonly string[]): ReadonlyMap<string, string> {
  const values = new Map<string, string>();
  for (const line of texts.join('\n').split('\n')) {
    const [, name, value = ''] = /^\s*([a-z0-9-]+)\s*=\s*([^#]*?)\s*(?:#.*)?$/.exec(line) ?? [];
    if (name !== undefined) values.set(name, value);
  }
  return values;
}

function isOn(value: string | undefined): boolean {
  return value !== undefined && ['yes', 'on', 'true', '1', ''].includes(value.toLowerCase());
}

export function apiFile(key: string): string {
  return `# Written by Aegir: the API by which it makes and changes zones.
api=yes
api-key=${key}
webserver=yes
webserver-address=127.0.0.1
webserver-allow-from=127.0.0.0/8
`;
}

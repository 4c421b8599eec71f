// One named of the host: its configuration, its control channel (rndc), its key for updates and its place for zones.
import { AegirError } from '../../../../shared/error.ts';
import { whyMissing } from '../../../../shared/missing.ts';
import type { Daemon, Host } from '../../../host/host.ts';
import type { NameServer } from '../rfc2136/tsig.ts';
import { KEY_NAME, type NamedConf, parseConf, parseZone, secretIn, type ZoneConf } from './conf.ts';

const RNDC_MS = 60_000;
/** For slave zones and the like, which can be had again; zones that are made here are not of that kind. */
const CACHE = '/var/cache/bind';
const LASTING = '/var/lib/bind';

export interface Named {
  readonly daemon: Daemon;
  /** Path of named.conf. */
  readonly main: string;
  readonly keyPath: string;
}

export interface Rndc {
  readonly ok: boolean;
  readonly said: string;
}

export async function namedOf(host: Host, doing: string): Promise<Named> {
  const daemon = await host.daemon('named');
  if (daemon === undefined) {
    const why = whyMissing(host, 'BIND is not installed on this server; install bind9');
    throw new AegirError('failed_precondition', `cannot ${doing}: ${why}`);
  }
  const main = daemon.configArguments[daemon.configArguments.indexOf('-c') + 1] ?? '/etc/bind/named.conf';
  return { daemon, main, keyPath: `${daemon.includeDir}/aegir.key` };
}

export async function readConf(host: Host, { main }: Named, signal?: AbortSignal): Promise<NamedConf> {
  const argv: [string, ...string[]] = ['named-checkconf', '-p', '-x', main];
  const { code, stdout, stderr } = await host.run({ argv, ...(signal === undefined ? {} : { signal }) });
  if (code === 0) return parseConf(stdout);
  const why = `${stdout}${stderr}`.trim().slice(0, 500);
  throw new AegirError('failed_precondition', `cannot read the configuration of BIND: mend it: ${why}`);
}

/** rndc finds its own configuration beside named's, as it does where the package has both. */
export async function rndc(host: Host, { main }: Named, args: readonly string[], signal?: AbortSignal): Promise<Rndc> {
  const own = `${main.slice(0, main.lastIndexOf('/'))}/rndc.conf`;
  const which = (await host.files.exists(own)) ? ['-c', own] : [];
  const { code, stdout, stderr } = await host.run({
    argv: ['rndc', ...which, ...args],
    timeoutMs: RNDC_MS,
    ...(signal === undefined ? {} : { signal }),
  });
  return { ok: code === 0, said: `${stderr}\n${stdout}`.trim() };
}

export async function must(host: Host, named: Named, args: readonly string[], doing: string, signal: AbortSignal) {
  const { ok, said } = await rndc(host, named, args, signal);
  if (ok) return;
  const why = said.replace(/\s*\n\s*/g, '; ').slice(0, 500);
  throw new AegirError('failed_precondition', `cannot ${doing}: BIND says: ${why}; its log tells more`);
}

/** undefined when named has no such zone. */
export async function zoneConf(
  host: Host,
  named: Named,
  zone: string,
  signal: AbortSignal,
): Promise<ZoneConf | undefined> {
  const { ok, said } = await rndc(host, named, ['showzone', zone], signal);
  if (ok) return parseZone(said);
  if (/no matching zone|not found/.test(said)) return undefined;
  const why = /refused|timed out|closed|end of file/.test(said) ? `there is no answer from BIND: ${said}` : said;
  throw new AegirError('unavailable', `cannot look at zone ${zone}: ${why.replace(/\s*\n\s*/g, '; ').slice(0, 500)}`);
}

export function zoneDirectory({ directory = CACHE }: NamedConf): string {
  return `${directory === CACHE ? LASTING : directory}/aegir`;
}

export function zoneFile(conf: NamedConf, zone: string): string {
  return `${zoneDirectory(conf)}/${zone}.zone`;
}

/** Where and by which key named takes updates. */
export async function updatesOf(host: Host, named: Named, conf: NamedConf): Promise<NameServer> {
  const secret = secretIn((await host.files.read(named.keyPath)) ?? '');
  if (secret === undefined || !conf.hasKey) {
    const next = 'have the service prepared: aegir server verify';
    throw new AegirError('failed_precondition', `cannot change zones of BIND: it does not know our key yet; ${next}`);
  }
  return { host: conf.address, port: conf.port, key: { name: KEY_NAME, algorithm: 'hmac-sha256', secret } };
}

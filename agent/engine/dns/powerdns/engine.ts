// The engine dns/powerdns: zones of a PowerDNS authoritative server, by its HTTP API; that of this host when nothing else is
// declared.
import { randomBytes } from 'node:crypto';
import { AegirError } from '../../../../shared/error.ts';
import type { DetectedService } from '../../../../shared/gen/aegir/v1/agent.ts';
import type { ServiceRef } from '../../../../shared/gen/aegir/v1/spec.ts';
import type { Host } from '../../../host/host.ts';
import { versionOf } from '../../../host/version.ts';
import type { Change, Checking, Engine, Preparing, Zoned } from '../../engine.ts';
import { createRecordEngine } from '../record-engine.ts';
import { checkKeys, urlOf } from '../settings.ts';
import type { ZoneTransport } from '../zone-transport.ts';
import { createPdnsApi, type PdnsApi } from './api.ts';
import { apiFile, readPdnsConf } from './conf.ts';
import { planPdnsZone, removePdnsZone } from './zone.ts';

export interface PowerdnsOptions {
  readonly withinMs?: number;
}

const CAPABILITIES = ['prepare', 'check', 'zones', 'dnssec'] as const;

/** Settings: url (default: the API of this host's PowerDNS). Secrets: api-key (default: that in its configuration). */
export function createPowerdnsEngine({ withinMs }: PowerdnsOptions = {}): Engine<'dns'> & Zoned & Preparing & Checking {
  const apiOf = async (service: ServiceRef, host: Host): Promise<PdnsApi> => {
    checkKeys(service, { settings: ['url'], secrets: ['api-key'] });
    const declared = service.secrets['api-key']?.trim();
    const daemon = await host.daemon('pdns');
    const conf = daemon === undefined ? undefined : await readPdnsConf(host, daemon);
    // The key of this host's server is not for others.
    const key = declared || (service.settings['url'] === undefined ? conf?.apiKey : undefined);
    if (key === undefined) throw keyless(daemon !== undefined);
    const url = urlOf(service, 'url', conf?.apiUrl ?? 'http://127.0.0.1:8081');
    return createPdnsApi({ url, key, ...(withinMs === undefined ? {} : { withinMs }) });
  };

  const engine = createRecordEngine({
    name: 'powerdns',
    capabilities: CAPABILITIES,
    detect,
    transport: async (service, { host }) => transportOf(await apiOf(service, host)),
  });
  return {
    ...engine,
    planZone: async (service, zone, { host, signal }) => planPdnsZone(await apiOf(service, host), zone, signal),
    removeZone: async (service, name, { host, signal }) => removePdnsZone(await apiOf(service, host), name, signal),
    async prepare(service, { host, signal }) {
      const changes = await planPreparation(service, host);
      // What is still to be made cannot be tried.
      if (changes.length === 0) await (await apiOf(service, host)).zones(signal);
      return changes;
    },
  };
}

function keyless(isHere: boolean): AegirError {
  const next = isHere
    ? 'have the service prepared (aegir server verify), or give it: aegir service set SERVICE --secret api-key=FILE'
    : 'declare it with --set url=http://HOST:PORT --secret api-key=FILE';
  return new AegirError('failed_precondition', `cannot use the API of PowerDNS: its key is not known; ${next}`);
}

function transportOf(api: PdnsApi): ZoneTransport {
  return {
    zones: api.zones,
    async read(name, _names, signal) {
      const doing = `read zone ${name}`;
      const zone = await api.zone(name, doing, signal);
      if (zone !== undefined) return zone.contents;
      const why = `PowerDNS does not carry zone ${name}; make the zone there first`;
      throw new AegirError('not_found', `cannot ${doing}: ${why}`, { untouched: true });
    },
    write: api.patch,
  };
}

/** The API of this host's server, where it has none yet. What people declared elsewhere is theirs to prepare. */
async function planPreparation(service: ServiceRef, host: Host): Promise<readonly Change[]> {
  const daemon = await host.daemon('pdns');
  if (daemon === undefined || service.settings['url'] !== undefined) return [];
  const conf = await readPdnsConf(host, daemon);
  if (conf.api && (conf.apiKey !== undefined || service.secrets['api-key'] !== undefined)) return [];
  if (conf.api) {
    const why = 'its API has a key that we cannot read';
    throw new AegirError(
      'failed_precondition',
      `cannot prepare PowerDNS: ${why}; declare it with --secret api-key=FILE`,
    );
  }
  if (conf.includeDir === undefined) {
    const why = 'its configuration includes no directory (include-dir)';
    throw new AegirError('failed_precondition', `cannot prepare PowerDNS: ${why}; set api and api-key in it yourself`);
  }
  const path = `${conf.includeDir}/aegir.conf`;
  return [
    {
      summary: `write ${path}: the API of PowerDNS for this server alone; PowerDNS is restarted for that`,
      async run() {
        const options = { mode: 0o640, ...(daemon.user === '' ? {} : { group: daemon.user }) };
        await host.files.write(path, apiFile(randomBytes(24).toString('base64url')), options);
        try {
          await daemon.restart();
        } catch (thrown) {
          await host.files.remove(path);
          await daemon.restart();
          throw thrown;
        }
      },
    },
  ];
}

async function detect(host: Host): Promise<readonly DetectedService[]> {
  const daemon = await host.daemon('pdns');
  if (daemon === undefined) return [];
  const { port } = await readPdnsConf(host, daemon);
  return [
    {
      type: 'dns',
      engine: 'powerdns',
      instance: '',
      version: await versionOf(host, [daemon.program, '--version'], /Authoritative Server (\S+)/),
      ports: [port],
      configRoots: [daemon.includeDir],
      running: await daemon.isRunning(),
      manageable: true,
      socket: '',
      capabilities: [...CAPABILITIES],
    },
  ];
}

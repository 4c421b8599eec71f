// The engine dns/bind: zones of the named on this host, made while it runs and changed by updates over the loopback.
import type { DetectedService } from '../../../../shared/gen/aegir/v1/agent.ts';
import type { Host } from '../../../host/host.ts';
import { versionOf } from '../../../host/version.ts';
import type { Checking, Engine, Preparing, Zoned } from '../../engine.ts';
import { createRecordEngine } from '../record-engine.ts';
import { createUpdateTransport } from '../rfc2136/transport.ts';
import { checkKeys } from '../settings.ts';
import { namedOf, readConf, updatesOf, zoneDirectory } from './named.ts';
import { planPreparation } from './prepare.ts';
import { planBindZone, removeBindZone } from './zone.ts';

export interface BindOptions {
  readonly withinMs?: number;
}

const CAPABILITIES = ['prepare', 'check', 'zones', 'dnssec'] as const;
const ZONE_FILE = '.zone';

export function createBindEngine({ withinMs }: BindOptions = {}): Engine<'dns'> & Zoned & Preparing & Checking {
  const engine = createRecordEngine({
    name: 'bind',
    capabilities: CAPABILITIES,
    detect,
    async transport(service, { host, signal }) {
      checkKeys(service, { settings: [], secrets: [] });
      const named = await namedOf(host, 'change zones of BIND');
      const conf = await readConf(host, named, signal);
      return createUpdateTransport({
        host,
        server: await updatesOf(host, named, conf),
        transfers: true,
        zones: async () =>
          (await host.files.list(zoneDirectory(conf)))
            .filter((name) => name.endsWith(ZONE_FILE))
            .map((name) => name.slice(0, -ZONE_FILE.length)),
        ...(withinMs === undefined ? {} : { withinMs }),
      });
    },
  });
  return {
    ...engine,
    planZone: (_service, zone, ctx) => planBindZone(zone, ctx),
    removeZone: (_service, name, ctx) => removeBindZone(name, ctx),
    async prepare(_service, { host, signal }) {
      return planPreparation(host, await namedOf(host, 'prepare BIND'), signal);
    },
  };
}

async function detect(host: Host): Promise<readonly DetectedService[]> {
  const daemon = await host.daemon('named');
  if (daemon === undefined) return [];
  const { port } = await readConf(host, await namedOf(host, 'look at BIND')).catch(() => ({ port: 53 }));
  return [
    {
      type: 'dns',
      engine: 'bind',
      instance: '',
      version: await versionOf(host, [daemon.program, '-v'], /BIND (\S+)/),
      ports: [port],
      configRoots: [daemon.includeDir],
      running: await daemon.isRunning(),
      manageable: true,
      socket: '',
      capabilities: [...CAPABILITIES],
    },
  ];
}

// Zones of PowerDNS: made, signed, corrected and removed by its API. Those of Aegir have its name as their account.
import { AegirError } from '../../../../shared/error.ts';
import type { ZoneSpec } from '../../../../shared/gen/aegir/v1/spec.ts';
import type { Change } from '../../engine.ts';
import type { Edit } from '../rrset.ts';
import { apexDrift, checkZone, nameServerData, serialOf, soaData } from '../soa.ts';
import type { PdnsApi, PdnsZone } from './api.ts';

const ACCOUNT = 'aegir';
/** It tells secondaries of changes; the API's word for a primary in every version. */
const KIND = 'Master';

export async function planPdnsZone(api: PdnsApi, zone: ZoneSpec, signal: AbortSignal): Promise<readonly Change[]> {
  checkZone(zone);
  const there = await api.zone(zone.name, `look at zone ${zone.name}`, signal);
  if (there === undefined) return [makeZone(api, zone)];
  refuseOthers(zone.name, there);
  const changes: Change[] = [];
  if (there.dnssec !== zone.dnssec) changes.push(signZone(api, zone));
  const { words, soa, ns } = apexDrift(zone, zone.nameservers, there.contents);
  if (words.length > 0) {
    const serial = serialOf(soa?.data[0] ?? '');
    const edits = apexEdits(zone, serial).map((edit) => ({ ...edit, before: edit.type === 'NS' ? ns : soa }));
    changes.push({
      summary: `set at ${zone.name}: ${words.join('; ')}`,
      run: (ctx) => api.patch(zone.name, edits, ctx.signal),
    });
  }
  return changes;
}

export async function removePdnsZone(api: PdnsApi, name: string, signal: AbortSignal): Promise<readonly Change[]> {
  const there = await api.zone(name, `look at zone ${name}`, signal);
  if (there === undefined) return [];
  refuseOthers(name, there);
  return [{ summary: `remove zone ${name} with everything in it`, run: (ctx) => api.remove(name, ctx.signal) }];
}

function refuseOthers(name: string, { account }: PdnsZone): void {
  if (account === ACCOUNT) return;
  const hand = `to hand it to Aegir: pdnsutil set-account ${name} ${ACCOUNT}`;
  throw new AegirError(
    'failed_precondition',
    `cannot change zone ${name}: somebody else made it in PowerDNS; ${hand}`,
    { untouched: true },
  );
}

function makeZone(api: PdnsApi, zone: ZoneSpec): Change {
  const servers = nameServerData(zone.nameservers).join(', ');
  return {
    summary: `make zone ${zone.name} with name servers ${servers}${zone.dnssec ? ', signed' : ''}`,
    run: ({ signal }) => {
      const settings = { kind: KIND, account: ACCOUNT, dnssec: zone.dnssec };
      return api.make(zone.name, settings, apexEdits(zone, 1), signal);
    },
  };
}

function signZone(api: PdnsApi, { name, dnssec }: ZoneSpec): Change {
  const summary = dnssec
    ? `sign zone ${name}`
    : `stop signing zone ${name}; its DS record must be gone from the parent`;
  return { summary, run: ({ signal }) => api.sign(name, dnssec, signal) };
}

function apexEdits(zone: ZoneSpec, serial: number): readonly Edit[] {
  const { name, ttl } = zone;
  return [
    { name, type: 'SOA', before: undefined, after: { name, type: 'SOA', ttl, data: [soaData(zone, serial)] } },
    { name, type: 'NS', before: undefined, after: { name, type: 'NS', ttl, data: nameServerData(zone.nameservers) } },
  ];
}

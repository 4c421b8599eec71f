// What an agent says about its host, bounded and formed: it may be wrong or hostile, and goes into the graph, into
// database grants and onto people's screens.
import { BlockList, isIP } from 'node:net';
import { AegirError } from '../../shared/error.ts';
import type { DetectedService, Disk, HostFacts } from '../../shared/gen/aegir/v1/agent.ts';
import { isServiceType } from '../../shared/vocabulary.ts';
import type { SessionLog } from './status.ts';

const MAX_TEXT = 300;
const MAX_PATH = 1000;
const MAX_DISKS = 200;
const MAX_ADDRESSES = 64;
export const MAX_SERVICES = 500;
const MAX_LIST = 64;

/** peer: where the agent's connection came from, address:port. */
export function checkFacts(facts: HostFacts | undefined, log: SessionLog, peer: string): HostFacts {
  if (facts === undefined) refuse('facts', 'are missing');
  const addresses = believed(facts.addresses, peer);
  const sourceAddresses = believed(facts.sourceAddresses, peer);
  const dropped = facts.addresses.length + facts.sourceAddresses.length - addresses.length - sourceAddresses.length;
  if (dropped > 0) {
    const of = { hostname: text(facts.hostname), peer, dropped };
    log.warn(of, 'left out addresses that are none, or lead nobody but the host itself there');
  }
  return {
    hostname: text(facts.hostname),
    os: text(facts.os),
    kernel: text(facts.kernel),
    arch: text(facts.arch),
    cpus: facts.cpus,
    memoryBytes: facts.memoryBytes,
    disks: some(facts.disks, MAX_DISKS, 'disks').map(disk),
    addresses: [...new Set(some(addresses, MAX_ADDRESSES, 'addresses'))],
    sourceAddresses: [...new Set(some(sourceAddresses, MAX_ADDRESSES, 'source_addresses'))],
    hostKind: text(facts.hostKind),
    agentVersion: text(facts.agentVersion),
  };
}

/** Services of types that this master does not know are left out: a newer agent may have some. */
export function checkServices(services: readonly DetectedService[], log: SessionLog): readonly DetectedService[] {
  const byPlace = new Map<string, DetectedService>();
  for (const service of some(services, MAX_SERVICES, 'services')) {
    if (service.type !== '' && !isServiceType(service.type)) {
      log.warn({ type: text(service.type), engine: text(service.engine) }, 'left out a service of an unknown type');
      continue;
    }
    if (!/^[A-Za-z0-9][A-Za-z0-9._+-]{0,62}$/.test(service.engine)) refuse('services.engine', 'has another form');
    if (service.instance.length > MAX_TEXT || !/^[\p{L}\p{M}\p{N} _.:/@+,=~-]*$/u.test(service.instance)) {
      log.warn(
        { instance: text(service.instance) },
        'left out a service whose instance has other characters than names have',
      );
      continue;
    }
    const place = JSON.stringify([service.type, service.engine, service.instance]);
    if (byPlace.has(place)) refuse('services', `name ${place} twice`);
    byPlace.set(place, {
      type: service.type,
      engine: service.engine,
      instance: service.instance,
      version: text(service.version),
      ports: some(service.ports, MAX_LIST, 'services.ports').filter((port) => port > 0 && port < 65_536),
      configRoots: some(service.configRoots, MAX_LIST, 'services.config_roots').map((path) => text(path, MAX_PATH)),
      running: service.running,
      manageable: service.manageable,
      socket: text(service.socket, MAX_PATH),
      capabilities: some(service.capabilities, MAX_LIST, 'services.capabilities').map((word) => text(word)),
    });
  }
  return [...byPlace.values()];
}

function disk(seen: Disk): Disk {
  return { ...seen, mount: text(seen.mount, MAX_PATH), type: text(seen.type) };
}

/**
 * Addresses of a server by which others come to it. Whoever goes to a loopback or link-local one comes to himself or to his
 * neighbour: a server that says it has one could have others pass visitors to what listens there for them alone, believe
 * what such connections say, and let them into databases. On one machine with the master it is as good as any.
 */
export function believed(addresses: readonly string[], peer: string): string[] {
  const near = isNear(hostOf(peer));
  return addresses.filter(
    (address) =>
      isIP(address) !== 0 &&
      !address.includes('%') &&
      !UNSPECIFIED.check(address, familyOf(address)) &&
      (near || !isNear(address)),
  );
}

// Who goes to the unspecified one comes to himself (RFC 1122, 3.2.1.3; RFC 4291, 2.5.2). A list of IPv4 finds those that are
// written as IPv6 (::ffff:127.0.0.1), too.
const UNSPECIFIED = new BlockList();
UNSPECIFIED.addSubnet('0.0.0.0', 8, 'ipv4');
UNSPECIFIED.addAddress('::', 'ipv6');
const NEAR = new BlockList();
NEAR.addSubnet('127.0.0.0', 8, 'ipv4');
NEAR.addSubnet('169.254.0.0', 16, 'ipv4');
NEAR.addAddress('::1', 'ipv6');
NEAR.addSubnet('fe80::', 10, 'ipv6');

function isNear(address: string): boolean {
  return isIP(address) !== 0 && NEAR.check(address, familyOf(address));
}

function familyOf(address: string): 'ipv4' | 'ipv6' {
  return isIP(address) === 4 ? 'ipv4' : 'ipv6';
}

/** Of address:port, with or without brackets. */
function hostOf(peer: string): string {
  return peer.replace(/:\d+$/, '').replace(/^\[|\]$/g, '');
}

/** For people to read: control characters would move their terminal's cursor. */
function text(value: string, max = MAX_TEXT): string {
  return value
    .slice(0, max)
    .replace(/\p{Cc}/gu, ' ')
    .toWellFormed();
}

function some<T>(list: readonly T[], max: number, field: string): readonly T[] {
  if (list.length > max) refuse(field, `are ${list.length}; ${max} is the most`);
  return list;
}

function refuse(field: string, why: string): never {
  throw new AegirError('invalid_argument', `cannot take the inventory: ${field} ${why}`);
}

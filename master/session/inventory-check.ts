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
    log.warn(of, 'left out addresses that are of no host, or lead nobody but the host itself there');
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
 * what such connections say, and let them into databases. On one machine with the master it is as good as any. Addresses of
 * no host at all are believed of none.
 */
export function believed(addresses: readonly string[], peer: string): string[] {
  const near = isNear(hostOf(peer));
  return addresses.filter(
    (address) => isIP(address) !== 0 && !address.includes('%') && !isNobodys(address) && (near || !isNear(address)),
  );
}

// Who goes to the unspecified one comes to himself (RFC 1122, 3.2.1.3; RFC 4291, 2.5.2); the others are of groups, reserved,
// or stand for an address of the other family, which a host reports as that.
const NOBODYS = new BlockList();
NOBODYS.addSubnet('0.0.0.0', 8, 'ipv4');
NOBODYS.addSubnet('224.0.0.0', 3, 'ipv4');
const NOBODYS_IPV6 = new BlockList();
NOBODYS_IPV6.addAddress('::', 'ipv6');
NOBODYS_IPV6.addRange('::2', '::ffff:ffff', 'ipv6');
NOBODYS_IPV6.addSubnet('::ffff:0:0', 96, 'ipv6');
NOBODYS_IPV6.addSubnet('64:ff9b::', 96, 'ipv6');
NOBODYS_IPV6.addSubnet('64:ff9b:1::', 48, 'ipv6');
// 6to4 (RFC 3056) of 0/8, 127/8, 169.254/16 and 224/3.
NOBODYS_IPV6.addSubnet('2002::', 24, 'ipv6');
NOBODYS_IPV6.addSubnet('2002:7f00::', 24, 'ipv6');
NOBODYS_IPV6.addSubnet('2002:a9fe::', 32, 'ipv6');
NOBODYS_IPV6.addSubnet('2002:e000::', 19, 'ipv6');
NOBODYS_IPV6.addSubnet('ff00::', 8, 'ipv6');
// A list of IPv4 finds those that are written as IPv6 (::ffff:127.0.0.1), too.
const NEAR = new BlockList();
NEAR.addSubnet('127.0.0.0', 8, 'ipv4');
NEAR.addSubnet('169.254.0.0', 16, 'ipv4');
NEAR.addAddress('::1', 'ipv6');
NEAR.addSubnet('fe80::', 10, 'ipv6');

function isNobodys(address: string): boolean {
  if (isIP(address) === 4) return NOBODYS.check(address, 'ipv4');
  return NOBODYS_IPV6.check(address, 'ipv6');
}

/** Loopback or link-local. */
export function isNear(address: string): boolean {
  return isIP(address) !== 0 && NEAR.check(address, isIP(address) === 4 ? 'ipv4' : 'ipv6');
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

// A webhook provider for tests, over a zone in memory: strict about what it is told, as the strictest of the real ones are, of
// a request doing all or nothing; and, where a test wants it, with the ways of those that are not.
import { once } from 'node:events';
import type { AddressInfo } from 'node:net';
import { presentation } from '../rdata.ts';
import { type Changes, type Endpoint, targetOf } from './endpoint.ts';
import { MEDIA_TYPE } from './provider.ts';
import { createWireServer } from './testing-wire.ts';

export interface StoredSet {
  readonly name: string;
  readonly type: string;
  readonly ttl: number;
  /** As presentation() has it. */
  readonly data: readonly string[];
  /** These come and go with the endpoint, as a provider's own marks. */
  readonly labels: Readonly<Record<string, string>>;
  readonly providerSpecific?: readonly { readonly name: string; readonly value: string }[];
}

export interface TestingProvider {
  readonly url: string;
  readonly sets: Map<string, StoredSet>;
  /** What it says that it has. */
  filter: unknown;
  /** Lowest TTL that it takes; it adjusts lower ones. */
  minimumTtl: number;
  /** Types that it leaves out when it adjusts. */
  unknownTypes: readonly string[];
  /** What it says it speaks. */
  mediaType: string;
  /** Gives each target as an endpoint of its own, as that of STACKIT does. */
  scattered: boolean;
  /** Answers what it adjusted in another order, without the dot at the end of targets: as that of Hetzner does. */
  untidy: boolean;
  /** Logs what it cannot do, and answers as if it were done: as those of IONOS and Hetzner do. */
  careless: boolean;
  /** How often it is asked for its records until they show what was changed. */
  late: number;
  /** It takes questions and answers none. */
  silent: boolean;
  /** Called after each change. */
  onChange: () => void;
  close(): Promise<void>;
}

export async function startTestingProvider(address: string, domain: string, token: string): Promise<TestingProvider> {
  const sets = new Map<string, StoredSet>();
  let former = { records: [] as readonly Endpoint[], times: 0 };
  const server = createWireServer({
    token: () => token,
    mediaType: () => provider.mediaType,
    silent: () => provider.silent,
    filter: () => provider.filter,
    records: () => {
      former.times -= 1;
      return former.times >= 0 ? former.records : all();
    },
    adjust: (endpoints) => {
      const made = endpoints.map(checked).filter(isKnown).map(adjusted);
      return provider.untidy ? made.toReversed() : made;
    },
    apply: (changes) => {
      former = { records: all(), times: provider.late };
      try {
        apply(changes);
      } catch (thrown) {
        if (!provider.careless) throw thrown;
      }
    },
  });
  server.listen(0, address);
  await once(server, 'listening');

  const isKnown = ({ recordType }: Endpoint): boolean => !provider.unknownTypes.includes(recordType);
  const adjusted = (endpoint: Endpoint): Endpoint => ({
    ...endpoint,
    recordTTL: Math.max(endpoint.recordTTL ?? 0, provider.minimumTtl),
    targets: provider.untidy ? endpoint.targets.map((each) => each.replace(/\.$/, '')) : endpoint.targets,
  });

  const all = (): readonly Endpoint[] => [...sets.values()].flatMap(shown);
  const shown = ({ name, type, ttl, data, labels, providerSpecific = [] }: StoredSet): readonly Endpoint[] => {
    const targets = data.map((each) => targetOf(type, each));
    const common = { dnsName: name, recordType: type, recordTTL: ttl, labels, providerSpecific };
    return provider.scattered ? targets.map((target) => ({ ...common, targets: [target] })) : [{ ...common, targets }];
  };

  const checked = (endpoint: Endpoint): Endpoint => {
    const { dnsName, recordType, targets } = endpoint;
    if (dnsName !== dnsName.toLowerCase() || dnsName.endsWith('.')) throw new Error(`name ${dnsName}`);
    if (dnsName !== domain && !dnsName.endsWith(`.${domain}`)) throw new Error(`${dnsName} is not of ${domain}`);
    if (targets.length === 0 || new Set(targets).size !== targets.length) throw new Error(`targets of ${dnsName}`);
    for (const target of targets) {
      const right = targetOf(recordType, presentation(recordType, target));
      if (target !== right && !(provider.untidy && `${target}.` === right)) {
        throw new Error(`target ${target} of ${dnsName} should be ${right}`);
      }
    }
    return endpoint;
  };

  /** Found by name and type, and gone as a whole: a second one of that set is not found any more. */
  const take = (next: Map<string, StoredSet>, old: Endpoint): StoredSet => {
    const key = `${checked(old).dnsName} ${old.recordType}`;
    const there = next.get(key);
    const data = old.targets.map((target) => presentation(old.recordType, target)).sort();
    if (there === undefined || JSON.stringify(there.data) !== JSON.stringify(data)) {
      throw new Error(`there is no ${JSON.stringify(old)}`);
    }
    next.delete(key);
    return there;
  };

  const put = (next: Map<string, StoredSet>, endpoint: Endpoint, former?: StoredSet): void => {
    const { dnsName: name, recordType: type, targets, recordTTL } = checked(endpoint);
    const key = `${name} ${type}`;
    if (next.has(key)) throw new Error(`${key} is there already`);
    if (!isKnown(endpoint)) throw new Error(`no records of type ${type} here`);
    const here = [...next.values()].filter((set) => set.name === name);
    if (here.length > 0 && [type, ...here.map((set) => set.type)].includes('CNAME'))
      throw new Error(`CNAME at ${name}`);
    if (recordTTL === undefined || recordTTL < provider.minimumTtl) throw new Error(`TTL of ${name}`);
    const data = targets.map((target) => presentation(type, target)).sort();
    const { labels = {}, providerSpecific = [] } = former ?? {};
    next.set(key, { name, type, ttl: recordTTL, data, labels, providerSpecific });
  };

  const apply = (changes: Changes): void => {
    const next = new Map(sets);
    if (changes.updateOld.length !== changes.updateNew.length) throw new Error('updates are not in pairs');
    for (const each of changes.delete) take(next, each);
    const olds = changes.updateOld.map((each) => take(next, each));
    for (const [index, each] of changes.updateNew.entries()) {
      const old = changes.updateOld[index];
      if (old?.dnsName !== each.dnsName || old.recordType !== each.recordType) throw new Error('updates are no pairs');
      for (const field of ['labels', 'providerSpecific'] as const) {
        if (JSON.stringify(each[field]) !== JSON.stringify(old[field])) throw new Error(`${field} got lost`);
      }
      put(next, each, olds[index]);
    }
    for (const each of changes.create) put(next, each);
    sets.clear();
    for (const [key, set] of next) sets.set(key, set);
    provider.onChange();
  };

  const provider: TestingProvider = {
    url: `http://${address}:${(server.address() as AddressInfo).port}`,
    sets,
    filter: { include: [domain] },
    minimumTtl: 0,
    unknownTypes: [],
    mediaType: MEDIA_TYPE,
    scattered: false,
    untidy: false,
    careless: false,
    late: 0,
    silent: false,
    onChange: () => {},
    async close() {
      server.close();
      server.closeAllConnections();
      await once(server, 'close');
    },
  };
  return provider;
}

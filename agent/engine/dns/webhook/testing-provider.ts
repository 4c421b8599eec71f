// A webhook provider for tests, over a zone in memory and strict about the protocol: what external-dns would never send is
// refused with a reason, and of a request either all is done or nothing.
import { once } from 'node:events';
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { presentation } from '../rdata.ts';
import { type Changes, type Endpoint, targetOf } from './endpoint.ts';
import { MEDIA_TYPE } from './provider.ts';

export interface StoredSet {
  readonly name: string;
  readonly type: string;
  readonly ttl: number;
  /** As presentation() has it. */
  readonly data: readonly string[];
  /** Comes and goes with the endpoint, as a provider's own mark. */
  readonly labels: Readonly<Record<string, string>>;
}

export interface TestingProvider {
  readonly url: string;
  readonly sets: Map<string, StoredSet>;
  /** Lowest TTL that it takes; it adjusts lower ones. */
  minimumTtl: number;
  /** Types that it leaves out when it adjusts. */
  unknownTypes: readonly string[];
  /** What it says it speaks. */
  mediaType: string;
  /** Gives each target as an endpoint of its own, as some providers do. */
  scattered: boolean;
  /** It takes questions and answers none. */
  silent: boolean;
  /** Called after each change. */
  onChange: () => void;
  close(): Promise<void>;
}

export async function startTestingProvider(address: string, domain: string, token: string): Promise<TestingProvider> {
  const sets = new Map<string, StoredSet>();
  const server = createServer((request, response) => {
    if (provider.silent) return;
    handle(request).then(
      ([status, body]) => answer(response, status, body),
      (error: Error) => answer(response, 400, error.message),
    );
  });
  server.listen(0, address);
  await once(server, 'listening');

  const answer = (response: ServerResponse, status: number, body?: unknown): void => {
    const text = typeof body === 'string' || body === undefined ? (body ?? '') : JSON.stringify(body);
    response.writeHead(status, { 'content-type': status === 200 ? provider.mediaType : 'text/plain' }).end(text);
  };

  const handle = async (request: IncomingMessage): Promise<[status: number, body?: unknown]> => {
    if (request.headers.authorization !== `Bearer ${token}`) return [401];
    if (request.headers.accept !== MEDIA_TYPE) return [406, `accept ${request.headers.accept}`];
    const posted = request.method === 'POST';
    if (posted && request.headers['content-type'] !== MEDIA_TYPE) return [415, 'wrong content type'];
    const body: unknown = posted ? JSON.parse(await textOf(request)) : undefined;
    switch (`${request.method} ${request.url}`) {
      case 'GET /':
        return [200, { include: [domain] }];
      case 'GET /records':
        return [200, [...sets.values()].flatMap(shown)];
      case 'POST /adjustendpoints':
        return [200, (body as Endpoint[]).map(checked).filter(isKnown).map(adjusted)];
      case 'POST /records':
        apply(body as Changes);
        return [204];
      default:
        return [404, `no ${request.method} ${request.url}`];
    }
  };

  const isKnown = ({ recordType }: Endpoint): boolean => !provider.unknownTypes.includes(recordType);
  const adjusted = (endpoint: Endpoint): Endpoint => ({
    ...endpoint,
    recordTTL: Math.max(endpoint.recordTTL ?? 0, provider.minimumTtl),
  });

  const shown = ({ name, type, ttl, data, labels }: StoredSet): readonly Endpoint[] => {
    const targets = data.map((each) => targetOf(type, each));
    const common = { dnsName: name, recordType: type, recordTTL: ttl, labels };
    return provider.scattered ? targets.map((target) => ({ ...common, targets: [target] })) : [{ ...common, targets }];
  };

  const checked = (endpoint: Endpoint): Endpoint => {
    const { dnsName, recordType, targets, recordTTL } = endpoint;
    if (dnsName !== dnsName.toLowerCase() || dnsName.endsWith('.')) throw new Error(`name ${dnsName}`);
    if (dnsName !== domain && !dnsName.endsWith(`.${domain}`)) throw new Error(`${dnsName} is not of ${domain}`);
    if (targets.length === 0 || new Set(targets).size !== targets.length) throw new Error(`targets of ${dnsName}`);
    for (const target of targets) {
      const right = targetOf(recordType, presentation(recordType, target));
      if (target !== right) throw new Error(`target ${target} of ${dnsName} should be ${right}`);
    }
    if (recordTTL !== undefined && !Number.isInteger(recordTTL)) throw new Error(`TTL of ${dnsName}`);
    return endpoint;
  };

  /** What is said to be there must be there, to the letter. */
  const take = (next: Map<string, StoredSet>, old: Endpoint): StoredSet => {
    const key = `${checked(old).dnsName} ${old.recordType}`;
    const there = next.get(key);
    const same =
      there !== undefined && shown(there).some((each) => JSON.stringify(sorted(each)) === JSON.stringify(sorted(old)));
    if (!same) throw new Error(`there is no ${JSON.stringify(old)}`);
    const gone = old.targets.map((target) => presentation(old.recordType, target));
    const data = there.data.filter((each) => !gone.includes(each));
    if (data.length === 0) next.delete(key);
    else next.set(key, { ...there, data });
    return there;
  };

  const put = (next: Map<string, StoredSet>, endpoint: Endpoint, labels: StoredSet['labels']): void => {
    const { dnsName: name, recordType: type, targets, recordTTL } = checked(endpoint);
    const key = `${name} ${type}`;
    if (next.has(key)) throw new Error(`${key} is there already`);
    if (!isKnown(endpoint)) throw new Error(`no records of type ${type} here`);
    const here = [...next.values()].filter((set) => set.name === name);
    if (here.length > 0 && [type, ...here.map((set) => set.type)].includes('CNAME'))
      throw new Error(`CNAME at ${name}`);
    if (recordTTL === undefined || recordTTL < provider.minimumTtl) throw new Error(`TTL of ${name}`);
    const data = targets.map((target) => presentation(type, target)).sort();
    next.set(key, { name, type, ttl: recordTTL, data, labels });
  };

  const apply = (changes: Changes): void => {
    const next = new Map(sets);
    if (changes.updateOld.length !== changes.updateNew.length) throw new Error('updates are not in pairs');
    for (const each of changes.delete) take(next, each);
    const labels = changes.updateOld.map((each) => take(next, each).labels);
    for (const [index, each] of changes.updateNew.entries()) {
      const old = changes.updateOld[index];
      if (old?.dnsName !== each.dnsName || old.recordType !== each.recordType) throw new Error('updates are no pairs');
      if (JSON.stringify(each['labels']) !== JSON.stringify(old['labels'])) throw new Error('labels got lost');
      put(next, each, labels[index] ?? {});
    }
    for (const each of changes.create) put(next, each, {});
    sets.clear();
    for (const [key, set] of next) sets.set(key, set);
    provider.onChange();
  };

  const provider: TestingProvider = {
    url: `http://${address}:${(server.address() as AddressInfo).port}`,
    sets,
    minimumTtl: 0,
    unknownTypes: [],
    mediaType: MEDIA_TYPE,
    scattered: false,
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

function sorted(endpoint: Endpoint): unknown {
  return Object.fromEntries(Object.entries(endpoint).sort(([one], [other]) => one.localeCompare(other)));
}

async function textOf(request: IncomingMessage): Promise<string> {
  const chunks: Buffer[] = [];
  for await (const chunk of request) chunks.push(chunk as Buffer);
  return Buffer.concat(chunks).toString('utf8');
}

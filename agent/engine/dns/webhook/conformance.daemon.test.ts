// webhook as one of the dns engines: the suite of its type against a strict provider in memory, whose zone a name server of
// the test answers for.
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { createFakeHost } from '../../../host/fake.ts';
import { describeDnsEngine } from '../../conformance/dns.ts';
import { startDnsServer } from '../../conformance/dns-server.ts';
import {
  type DnsStage,
  type DnsSubject,
  type DnsWorld,
  openDnsStage,
  record,
  SITE,
  siteSpec,
  specOf,
} from '../../conformance/dns-stage.ts';
import { presentation } from '../rdata.ts';
import { createWebhookEngine } from './engine.ts';
import { createProvider } from './provider.ts';
import { startTestingProvider, type TestingProvider } from './testing-provider.ts';

const ADDRESS = '127.53.10.1';
const TOKEN = 'a-token-of-the-test';
const WITHIN_MS = 1500;
/** What questions of the suite are about. */
const ANSWERED = ['A', 'AAAA', 'CNAME'];

interface ProviderWorld extends DnsWorld {
  readonly provider: TestingProvider;
}

const subject: DnsSubject = {
  name: 'webhook',
  openWorld,
  createEngine: () => createWebhookEngine({ withinMs: WITHIN_MS, shownMs: WITHIN_MS }),
  createHost: async () => createFakeHost(),
  declare: (world) => ({ settings: { url: (world as ProviderWorld).provider.url }, secrets: { token: TOKEN } }),
  declaredOnly: true,
  remembers: true,
  patienceMs: WITHIN_MS + 1500,
};

describeDnsEngine(subject);

async function openWorld(): Promise<ProviderWorld> {
  const server = await startDnsServer(ADDRESS);
  const provider = await startTestingProvider(ADDRESS, 'example.org', TOKEN);
  provider.onChange = () => {
    server.clear();
    for (const { name, type, ttl, data } of provider.sets.values()) {
      if (ANSWERED.includes(type)) for (const each of data) server.add(name, type, each.replace(/\.$/, ''), ttl);
    }
  };
  return {
    provider,
    address: server.address,
    add(name, type, data, ttl = 60) {
      const key = `${name} ${type}`;
      const there = provider.sets.get(key);
      const all = [...new Set([...(there?.data ?? []), presentation(type, data)])].sort();
      provider.sets.set(key, { name, type, ttl, data: all, labels: { by: 'a person' } });
      provider.onChange();
    },
    remove(name, type, data) {
      for (const [key, set] of provider.sets) {
        if (set.name !== name || (type !== undefined && set.type !== type)) continue;
        const left = data === undefined ? [] : set.data.filter((each) => each !== presentation(set.type, data));
        if (left.length === 0) provider.sets.delete(key);
        else provider.sets.set(key, { ...set, data: left });
      }
      provider.onChange();
    },
    everything: async () =>
      [...provider.sets.values()]
        .flatMap((set) => set.data.map((each) => `${set.name} ${set.ttl} ${set.type} ${each}`))
        .sort(),
    carryOut: async () => {},
    silence(on) {
      provider.silent = on;
    },
    async close() {
      await provider.close();
      await server.close();
    },
  };
}

describe('dns/webhook, by itself', () => {
  let stage: DnsStage;
  let provider: TestingProvider;
  beforeEach(async () => {
    stage = await openDnsStage(subject);
    ({ provider } = stage.world as ProviderWorld);
  });
  afterEach(() => stage.close());

  it('wants what the provider makes of it', async () => {
    provider.minimumTtl = 400;
    const spec = specOf(
      SITE,
      record('www.example.org', 'A', '192.0.2.1', 60),
      record('www.example.org', 'A', '192.0.2.2', 60),
    );
    expect(await stage.apply(spec)).toEqual([
      'set www.example.org. 400 IN A 192.0.2.1',
      'set www.example.org. 400 IN A 192.0.2.2',
    ]);
    expect(await stage.plan(spec)).toEqual([]);
  });

  it('tells of a type that the provider does not take', async () => {
    provider.unknownTypes = ['AAAA'];
    await expect(stage.plan(siteSpec())).rejects.toThrow(/the webhook provider takes no AAAA records there/);
    provider.unknownTypes = ['TXT'];
    const before = await stage.world.everything();
    await expect(stage.apply(siteSpec())).rejects.toThrow(/TXT records that tell what is ours/);
    expect(await stage.world.everything()).toEqual(before);
  });

  it('understands providers that give each target as an endpoint of its own, and take what goes as a whole', async () => {
    provider.scattered = true;
    const two = specOf(SITE, record('www.example.org', 'A', '192.0.2.1'), record('www.example.org', 'A', '192.0.2.2'));
    await stage.apply(two);
    expect(await stage.plan(two)).toEqual([]);
    const one = specOf(SITE, record('www.example.org', 'A', '192.0.2.3'));
    await stage.apply(one);
    expect(await stage.answers('www.example.org', 'A')).toEqual(['192.0.2.3']);
    await stage.remove(one, false);
    expect(await stage.world.everything()).toEqual([]);
  });

  const three = () =>
    specOf(
      SITE,
      record('www.example.org', 'A', '192.0.2.1'),
      record('_x._tcp.example.org', 'SRV', '1 2 443 www.example.org'),
      record('www.example.org', 'TXT', 'one. two.'),
    );

  it('understands providers that answer in another order, and take dots off', async () => {
    provider.untidy = true;
    await stage.apply(three());
    expect(await stage.plan(three())).toEqual([]);
    const moved = specOf(SITE, record('www.example.org', 'A', '192.0.2.9'), ...three().records.slice(1));
    await stage.apply(moved);
    expect(await stage.plan(moved)).toEqual([]);
    await stage.remove(moved, false);
    expect(await stage.world.everything()).toEqual([]);
  });

  it('does not believe a provider that takes everything and does nothing', async () => {
    provider.careless = true;
    provider.sets.set('_aegir.www.example.org CNAME', {
      ...{ name: '_aegir.www.example.org', type: 'CNAME', ttl: 60, data: ['elsewhere.example.org.'], labels: {} },
    });
    const before = await stage.world.everything();
    await expect(stage.apply(three())).rejects.toMatchObject({
      code: 'unavailable',
      message: expect.stringMatching(
        /the webhook provider took it, and does not show (?:A|TXT) of \S+ as it was told; see what/,
      ),
    });
    expect(await stage.world.everything()).toEqual(before);
  });

  it('waits for one whose records show a change a while later', async () => {
    provider.late = 1;
    await stage.apply(three());
    provider.late = 0;
    expect(await stage.plan(three())).toEqual([]);
  });

  it('gives back what the provider keeps with a set', async () => {
    await stage.apply(specOf(SITE, record('www.example.org', 'A', '192.0.2.1')));
    const kept = { labels: { owner: 'them' }, providerSpecific: [{ name: 'proxied', value: 'true' }] };
    for (const [key, set] of provider.sets) provider.sets.set(key, { ...set, ...kept });
    await stage.apply(specOf(SITE, record('www.example.org', 'A', '192.0.2.2')));
    expect(provider.sets.get('www.example.org A')).toMatchObject({ data: ['192.0.2.2'], ...kept });
  });

  it.each([
    [
      'a name that it was told to leave out',
      { include: ['example.org'], exclude: ['www.example.org'] },
      /leaves that name out/,
    ],
    ['a name beside those that it has', { include: ['.www.example.org'] }, /does not carry zone example\.org/],
    [
      'the zone itself where it has names below alone',
      { include: ['.example.org'], exclude: ['www.example.org.'] },
      /leaves that name out/,
    ],
  ])('is told before anything is done: %s', async (_what, filter, says) => {
    provider.filter = filter;
    await expect(stage.plan(three())).rejects.toThrow(says);
  });

  it.each([{}, null, { include: [' Example.ORG. '] }, { filters: ['example.org'] }])(
    'takes %j for a filter that has it',
    async (filter) => {
      provider.filter = filter;
      await stage.apply(three());
      expect(await stage.plan(three())).toEqual([]);
    },
  );

  it('reads names of a filter as external-dns writes them: as people do', async () => {
    provider.filter = { include: ['bücher.example', '.Bücher.example'], exclude: ['innen.bücher.example'] };
    const { signal } = new AbortController();
    expect(await createProvider({ url: provider.url, token: TOKEN }).negotiate(signal)).toEqual({
      include: ['xn--bcher-kva.example', '.xn--bcher-kva.example'],
      exclude: ['innen.xn--bcher-kva.example'],
    });
  });

  it.each([
    [
      'a version that it does not speak',
      () => (provider.mediaType = 'application/external.dns.webhook+json;version=2'),
      /version=2/,
    ],
    ['something else than a provider', () => (provider.mediaType = 'text/html'), /speaks "text\/html"/],
  ])('tells of %s', async (_what, harm, says) => {
    harm();
    await expect(stage.plan(siteSpec())).rejects.toMatchObject({
      code: 'failed_precondition',
      message: expect.stringMatching(says),
    });
  });

  it('tells that its token is wrong without quoting it', async () => {
    const service = { ...stage.service, secrets: { token: 'hush-hush' } };
    const planned = stage.engine.plan(service, siteSpec(), stage.ctx);
    await expect(planned).rejects.toThrow(/^(?!.*hush).*does not take our token/);
  });
});

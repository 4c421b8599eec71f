// rfc2136 as one of the dns engines: the suite of its type against a private Knot DNS.
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { describeDnsEngine } from '../../conformance/dns.ts';
import { emptyUpdatedWorld, realHost } from '../../conformance/dns-daemon.ts';
import { KNOT_SECRET, openKnot } from '../../conformance/dns-knot.ts';
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
import type { Engine, Preparing } from '../../engine.ts';
import { createRfc2136Engine } from './engine.ts';

const ADDRESS = '127.53.7.1';
const WITHIN_MS = 4000;

const subject: DnsSubject = {
  name: 'rfc2136',
  openWorld: () => openKnot(ADDRESS),
  emptyWorld: emptyUpdatedWorld,
  createEngine: () => createRfc2136Engine({ withinMs: WITHIN_MS }),
  createHost: async () => realHost(),
  declare: ({ address }) => ({
    settings: { server: address, 'key-name': 'aegir', zones: 'example.org' },
    secrets: { key: KNOT_SECRET },
  }),
  declaredOnly: true,
  remembers: true,
  patienceMs: WITHIN_MS + 3000,
};

describeDnsEngine(subject);

describe('dns/rfc2136, by itself', () => {
  let stage: DnsStage;
  let more: Record<string, string>;
  beforeEach(async () => {
    more = {};
    const declare = (world: DnsWorld) => {
      const said = subject.declare?.(world) ?? { settings: {}, secrets: {} };
      // Read when the engine asks, so that each test may say more.
      return { ...said, settings: new Proxy(said.settings, { get: (all, key: string) => more[key] ?? all[key] }) };
    };
    stage = await openDnsStage({ ...subject, declare });
  });
  afterEach(() => stage.close());

  it('does without transfers what can be done without', async () => {
    more = { axfr: 'no' };
    await stage.apply(siteSpec());
    expect(await stage.plan(siteSpec())).toEqual([]);
    await stage.world.add('www.example.org', 'AAAA', '2001:db8::bad');
    expect((await stage.apply(siteSpec())).join()).toContain('2001:db8::bad');
    await stage.world.remove('www.example.org');
    await stage.world.add('www.example.org', 'CNAME', 'cdn.example.org');
    await stage.world.add('cdn.example.org', 'A', '203.0.113.5');
    expect((await stage.apply(siteSpec())).join()).toContain('203.0.113.5');
    expect(await stage.answers('www.example.org', 'A')).toEqual(['192.0.2.10']);
    expect(await stage.remove(siteSpec(), false)).toEqual([]);
    expect(await stage.remove(siteSpec())).toHaveLength(4);
    expect((await stage.world.everything()).join()).not.toContain('aegir');
    const elsewhere = { ...siteSpec(), zone: 'example.com', records: [record('a.example.com', 'A', '192.0.2.1')] };
    await expect(stage.plan(elsewhere)).rejects.toMatchObject({ code: 'not_found' });
  });

  it('tells what is wrong with its key', async () => {
    more = { 'key-name': 'unknown' };
    await expect(stage.plan(siteSpec())).rejects.toThrow(/does not take our key: it does not know the key/);
    more = { 'key-algorithm': 'hmac-sha512' };
    await expect(stage.plan(siteSpec())).rejects.toThrow(/does not take our key: it does not know the key/);
    more = { 'key-algorithm': 'rot13' };
    await expect(stage.plan(siteSpec())).rejects.toThrow(/settings "key-algorithm": it is none of hmac-sha256/);
  });

  it('is tried before it is enabled, by the zones that it was declared with', async () => {
    const prepared = (settings: Record<string, string>, key = KNOT_SECRET) => {
      const its = { server: stage.world.address, 'key-name': 'aegir', zones: 'example.org' };
      return engine.prepare({ ...stage.service, settings: { ...its, ...settings }, secrets: { key } }, stage.ctx);
    };
    const engine = createRfc2136Engine({ withinMs: WITHIN_MS }) as Engine<'dns'> & Preparing;
    expect(await prepared({})).toEqual([]);
    expect(await prepared({ axfr: 'no' })).toEqual([]);
    await expect(prepared({ 'key-name': 'unknown' })).rejects.toThrow(
      /does not take our key: it does not know the key/,
    );
    const other = Buffer.from('another secret of 32 characters!').toString('base64');
    await expect(prepared({ axfr: 'no' }, other)).rejects.toThrow(/^(?!.*YW5vdGhl).*does not take our key/);
    await expect(prepared({ server: `${ADDRESS}:9` })).rejects.toThrow(/no answer from name server/);
  });

  it('tells that nobody is there', async () => {
    more = { server: `${ADDRESS}:9` };
    const spec = specOf(SITE, record('www.example.org', 'A', '192.0.2.1'));
    await expect(stage.plan(spec)).rejects.toThrow(/there is no answer from name server 127\.53\.7\.1:9/);
  });
});

// The one conformance suite of type dns: what every dns engine does, checked by questions to a name server. An engine is
// plugged in by describeDnsEngine(subject) in a *.daemon.test.ts of its own.
import { afterAll, afterEach, beforeEach, describe, expect, it } from 'vitest';
import { canCheck } from '../engine.ts';
import { describeDnsFailures } from './dns-failures.ts';
import { describeDnsOwnership } from './dns-ownership.ts';
import {
  type DnsStage,
  type DnsSubject,
  IDN,
  openDnsStage,
  record,
  SITE,
  siteSpec,
  specOf,
  withOneWorld,
} from './dns-stage.ts';

/** Records of other people in the same zone, some at the very names of the site. */
const FOREIGN = [
  ['example.org', 'MX', '10 mail.example.org'],
  ['example.org', 'TXT', 'v=spf1 mx -all'],
  ['www.example.org', 'TXT', 'a proof that somebody wanted'],
  ['www2.example.org', 'A', '192.0.2.10'],
  ['mail.example.org', 'A', '198.51.100.1'],
] as const;

/** One of each type, in a spelling that a name server does not give back: both mean the same. */
const TYPES: readonly (readonly [type: string, data: string])[] = [
  ['A', '192.0.2.10'],
  ['AAAA', '2001:0DB8:0:0:0:0:0:0010'],
  ['CNAME', 'Front.Example.ORG.'],
  ['NS', 'NS1.example.org.'],
  ['MX', '10  Mail.example.org.'],
  ['TXT', '"google-site-verification=AbC" "; v=1"'],
  ['CAA', '0 ISSUE "letsencrypt.org"'],
  ['SRV', '1 2 443 Front.example.org.'],
];

export function describeDnsEngine(subject: DnsSubject): void {
  describe(`dns/${subject.name}`, () => {
    let stage: DnsStage;
    const one = withOneWorld(subject);
    afterAll(one.close);
    beforeEach(async () => {
      stage = await openDnsStage(one.subject);
      for (const [name, type, data] of FOREIGN) await stage.world.add(name, type, data);
    });
    afterEach(() => stage.close());

    const expectPublished = async (): Promise<void> => {
      for (const name of ['www.example.org', IDN]) {
        expect(await stage.answers(name, 'A')).toEqual(['192.0.2.10']);
        expect(await stage.answers(name, 'AAAA')).toEqual(['2001:db8::10']);
      }
      expect(await stage.plan(siteSpec())).toEqual([]);
    };

    it('is detected where a host shows it', async () => {
      const [detected, ...more] = await stage.engine.detect(stage.host);
      if (subject.declaredOnly) return expect(detected).toBeUndefined();
      expect(more).toEqual([]);
      expect(detected).toMatchObject({ type: 'dns', engine: subject.name, running: true, manageable: true });
    });

    it('checks that its service answers, and for each zone; a service that is silent is an error', async () => {
      const { engine, service, ctx, world } = stage;
      if (!canCheck(engine)) return expect([...engine.capabilities]).not.toContain('check');
      const told = async (...zones: string[]) =>
        (await engine.check(service, ctx, zones))
          .filter(({ code }) => code === 'dns.service' || code === 'dns.zone')
          .map(({ subject: about, level }) => `${about} ${level}`);
      const before = await world.everything();
      expect(await told('example.org')).toEqual([`service:${subject.name} ok`, 'zone:example.org ok']);
      expect((await told('nowhere.example'))[1] ?? 'none').toMatch(/^zone:nowhere\.example error$/);
      expect(await world.everything()).toEqual(before);
      world.silence(true);
      expect((await told('example.org')).at(-1)).toMatch(/ error$/);
      world.silence(false);
    });

    it('changes nothing by planning, and the plan tells each record in full', async () => {
      const before = await stage.world.everything();
      const planned = await stage.plan(siteSpec());
      expect(planned).toHaveLength(4);
      for (const [index, { name, type, ttl, data }] of siteSpec().records.entries()) {
        expect(planned[index]).toContain(`${name}. ${ttl} IN ${type} ${data}`);
      }
      expect(planned[2]).toContain('bücher.example.org');
      expect(await stage.world.everything()).toEqual(before);
      expect(stage.todos).toEqual([]);
    });

    it('publishes a site, and applying it again changes nothing', async () => {
      const planned = await stage.plan(siteSpec());
      expect(await stage.apply(siteSpec())).toEqual(planned);
      await expectPublished();
      const before = await stage.world.everything();
      expect(await stage.apply(siteSpec())).toEqual([]);
      expect(await stage.world.everything()).toEqual(before);
    });

    it('knows records of each type in any spelling', async () => {
      for (const [type, data] of TYPES) {
        const spec = specOf(SITE, record('record.example.org', type, data));
        expect(await stage.apply(spec), type).toHaveLength(1);
        expect(await stage.plan(spec), type).toEqual([]);
        expect(await stage.remove(spec), type).toHaveLength(1);
        expect(await stage.remove(spec), type).toEqual([]);
      }
    });

    it('moves a site: the new address comes, the old one goes', async () => {
      await stage.apply(siteSpec());
      const records = siteSpec().records.map((each) => (each.type === 'A' ? { ...each, data: '192.0.2.99' } : each));
      await stage.apply(siteSpec({ records }));
      expect(await stage.answers('www.example.org', 'A')).toEqual(['192.0.2.99']);
      expect(await stage.plan(siteSpec({ records }))).toEqual([]);
      await stage.apply(siteSpec());
      await expectPublished();
    });

    it('leaves what others have in the zone as it is, at any time', async () => {
      const before = [...(await stage.world.everything())].sort();
      await stage.apply(siteSpec());
      expect(await stage.world.everything()).toEqual(expect.arrayContaining(before));
      await stage.remove(siteSpec());
      expect([...(await stage.world.everything())].sort()).toEqual(before);
    });

    it('takes everything of a site off, may be told so again, and leaves other sites', async () => {
      const other = specOf('site-0000000000000002', record('two.example.org', 'A', '192.0.2.10'));
      await stage.apply(other);
      await stage.apply(siteSpec());
      expect(await stage.remove(siteSpec())).toHaveLength(4);
      expect(await stage.answers('www.example.org', 'A')).toEqual([]);
      expect(await stage.remove(siteSpec())).toEqual([]);
      expect(await stage.plan(other)).toEqual([]);
    });

    it('removes without a spec what it knows itself, and without a fault when it knows nothing', async () => {
      await stage.apply(siteSpec());
      const done = await stage.remove(siteSpec(), false);
      if (subject.remembers) expect(await stage.answers('www.example.org', 'A')).toEqual([]);
      else expect(done).toEqual([]);
      expect(await stage.remove(specOf('site-zzzzzzzzzzzzzzzz'), false)).toEqual([]);
    });

    it('has nothing to do for a site without records', async () => {
      expect(await stage.plan(specOf(SITE))).toEqual([]);
      expect(await stage.remove(specOf(SITE))).toEqual([]);
    });

    describeDnsFailures(subject, () => stage, expectPublished);
    if (subject.remembers) describeDnsOwnership(() => stage);
  });
}

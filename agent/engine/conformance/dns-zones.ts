// The conformance suite of dns engines that carry zones (capability "zones"), checked by questions over UDP and TCP.
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { ZoneSpec } from '../../../shared/gen/aegir/v1/spec.ts';
import { waitUntil } from '../../host/wait.ts';
import { type Engine, hasZones, runChanges, type Zoned } from '../engine.ts';
import { dig } from './dns-daemon.ts';
import { type DnsStage, type DnsSubject, openDnsStage, record } from './dns-stage.ts';
import { summaries } from './interruption.ts';

export interface ZonesSubject extends DnsSubject {
  /** Makes a zone past Aegir, as a person would; the answer is told by `dig`. */
  makeForeignZone(name: string): Promise<void>;
}

const ZONE: ZoneSpec = {
  zoneId: 'zone-0000000000000009',
  name: 'example.net',
  nameservers: ['ns1.example.net', 'ns.example.com'],
  contact: 'host.master@example.net',
  ttl: 3600,
  negativeTtl: 300,
  dnssec: false,
};
const OWNER = ZONE.zoneId;

export function describeDnsZones(subject: ZonesSubject): void {
  describe(`zones of dns/${subject.name}`, () => {
    let stage: DnsStage;
    let engine: Engine<'dns'> & Zoned;
    beforeEach(async () => {
      stage = await openDnsStage(subject);
      if (!hasZones(stage.engine)) throw new Error(`dns/${subject.name} says that it carries no zones`);
      engine = stage.engine;
    });
    afterEach(() => stage.close());

    const plan = async (zone: ZoneSpec) => summaries(await engine.planZone(stage.service, zone, stage.ctx));
    const make = async (zone: ZoneSpec) => runChanges(await engine.planZone(stage.service, zone, stage.ctx), stage.ctx);
    const remove = async (name: string) =>
      runChanges(await engine.removeZone(stage.service, name, stage.ctx), stage.ctx);
    const ask = async (...question: readonly string[]): Promise<readonly string[]> => {
      const [address = '', port = ''] = stage.world.address.split(':');
      const base = [`@${address}`, '-p', port, '+norecurse', '+time=2', '+tries=1', '+noall', '+answer', '+comments'];
      const { stdout } = await dig(...base, ...question);
      return stdout.split('\n').map((line) => line.replace(/\s+/g, ' '));
    };
    const data = async (...question: readonly string[]): Promise<readonly string[]> =>
      (await ask(...question)).filter((line) => / IN /.test(line)).sort();
    const serial = async (): Promise<number> => Number((await data('example.net', 'SOA'))[0]?.split(' ')[6]);
    const isAnswered = async (name: string): Promise<boolean> =>
      (await ask(name, 'SOA')).some((line) => line.includes('status: NOERROR'));

    it('makes one, as it is asked for, over UDP and TCP; again changes nothing', async () => {
      expect(await plan(ZONE)).toHaveLength(1);
      expect(await isAnswered('example.net')).toBe(false);
      await make(ZONE);
      for (const over of ['+notcp', '+tcp']) {
        const [soa] = await data('example.net', 'SOA', over);
        expect(soa).toMatch(
          /^example\.net\. 3600 IN SOA ns1\.example\.net\. host\\\.master\.example\.net\. \d+ .* 300$/,
        );
        expect(await data('example.net', 'NS', over)).toEqual([
          'example.net. 3600 IN NS ns.example.com.',
          'example.net. 3600 IN NS ns1.example.net.',
        ]);
      }
      const before = await serial();
      expect(await make(ZONE)).toEqual([]);
      expect(await serial()).toBe(before);
    });

    it('leaves a zone alone whose name begins with that of another and its ending', async () => {
      const longer = { ...ZONE, zoneId: 'zone-0000000000000008', name: `${ZONE.name}.zone` };
      await make(longer);
      await make(ZONE);
      const kept = {
        siteId: longer.zoneId,
        zone: longer.name,
        records: [record(`www.${longer.name}`, 'A', '192.0.2.9')],
      };
      await stage.apply(kept);
      await remove(ZONE.name);
      await make(ZONE);
      expect(await plan(longer)).toEqual([]);
      expect(await stage.plan(kept)).toEqual([]);
      await remove(longer.name);
      expect(await plan(ZONE)).toEqual([]);
      await remove(ZONE.name);
    });

    it('corrects SOA and name servers, and leaves the records in it; the serial goes up each time', async () => {
      await make(ZONE);
      const spec = { siteId: OWNER, zone: 'example.net', records: [record('www.example.net', 'A', '192.0.2.10')] };
      let last = await serial();
      await stage.apply(spec);
      expect(await serial()).toBeGreaterThan(last);
      last = await serial();
      const other = { ...ZONE, nameservers: ['ns.example.com', 'ns2.example.com'], contact: 'x@example.net', ttl: 600 };
      expect(await plan(other)).toEqual([expect.stringContaining('ns2.example.com')]);
      await make(other);
      expect(await plan(other)).toEqual([]);
      expect(await serial()).toBeGreaterThan(last);
      expect((await data('example.net', 'SOA'))[0]).toContain(' 600 IN SOA ns.example.com. x.example.net. ');
      expect(await data('example.net', 'NS')).toEqual([
        'example.net. 600 IN NS ns.example.com.',
        'example.net. 600 IN NS ns2.example.com.',
      ]);
      expect(await stage.plan(spec)).toEqual([]);
      await make(ZONE);
      expect(await stage.answers('www.example.net', 'A')).toEqual(['192.0.2.10']);
    });

    it('people may declare the address of a name server within it', async () => {
      await make(ZONE);
      const glue = record('ns1.example.net', 'A', '192.0.2.53');
      const spec = { siteId: OWNER, zone: 'example.net', records: [glue] };
      await stage.apply(spec);
      expect(await stage.answers('ns1.example.net', 'A')).toEqual(['192.0.2.53']);
      expect(await stage.plan(spec)).toEqual([]);
      expect(await plan(ZONE)).toEqual([]);
    });

    it('signs one, records that come later too, and stops; again changes nothing', async () => {
      await make(ZONE);
      const spec = { siteId: OWNER, zone: 'example.net', records: [record('www.example.net', 'A', '192.0.2.10')] };
      await stage.apply(spec);
      const signed = { ...ZONE, dnssec: true };
      expect(await plan(signed)).toEqual([expect.stringContaining('sign')]);
      await make(signed);
      expect(await plan(signed)).toEqual([]);
      const hasSignature = async (name: string) =>
        (await data('+dnssec', name, 'A')).some((line) => line.includes(`${name}. 3600 IN RRSIG A `));
      expect(await waitUntil(() => hasSignature('www.example.net'), 20_000, 100)).toBe(true);
      expect((await data('example.net', 'DNSKEY')).length).toBeGreaterThan(0);
      await stage.apply({ ...spec, records: [...spec.records, record('later.example.net', 'A', '192.0.2.11')] });
      expect(await waitUntil(() => hasSignature('later.example.net'), 20_000, 100)).toBe(true);
      expect(await stage.plan(spec)).toEqual([expect.stringContaining('remove later.example.net')]);
      expect(await make(ZONE)).toEqual([expect.stringContaining('stop signing')]);
      expect(await plan(ZONE)).toEqual([]);
      await stage.apply(spec);
      expect(await stage.plan(spec)).toEqual([]);
    });

    it('makes one that is signed from its beginning', async () => {
      const signed = { ...ZONE, dnssec: true };
      await make(signed);
      expect(await plan(signed)).toEqual([]);
      const isSigned = async () =>
        (await data('+dnssec', 'example.net', 'SOA')).some((line) => / RRSIG SOA /.test(line));
      expect(await waitUntil(isSigned, 20_000, 100)).toBe(true);
    });

    it('removes one with all that is in it, may be told so again, and makes it anew empty', async () => {
      await make({ ...ZONE, dnssec: true });
      const spec = { siteId: OWNER, zone: 'example.net', records: [record('www.example.net', 'A', '192.0.2.10')] };
      await stage.apply(spec);
      expect(await remove('example.net')).toHaveLength(1);
      expect(await isAnswered('example.net')).toBe(false);
      expect(await remove('example.net')).toEqual([]);
      expect(await stage.remove(spec)).toEqual([]);
      await make(ZONE);
      expect(await stage.answers('www.example.net', 'A')).toEqual([]);
      expect(await isAnswered('example.org')).toBe(true);
    });

    it('leaves those of other people', async () => {
      await subject.makeForeignZone('foreign.example');
      const foreign = { ...ZONE, name: 'foreign.example' };
      await expect(plan(foreign)).rejects.toMatchObject({ code: 'failed_precondition' });
      await expect(remove('foreign.example')).rejects.toMatchObject({ code: 'failed_precondition' });
      expect(await isAnswered('foreign.example')).toBe(true);
    });

    it.each([[{ name: 'a b.example' }], [{ name: '../x' }], [{ contact: 'nobody' }], [{ nameservers: ['a;b'] }]])(
      'refuses %j',
      async (part) => {
        await expect(plan({ ...ZONE, ...part })).rejects.toMatchObject({ code: 'invalid_argument' });
      },
    );
  });
}

// What a dns engine that sets records by itself does where names are somebody else's, or become so between plan and
// change. A part of the conformance suite (dns.ts).
import { describe, expect, it } from 'vitest';
import { runChanges } from '../engine.ts';
import { type DnsStage, IDN, record, SITE, siteSpec, specOf } from './dns-stage.ts';

const WWW = 'www.example.org';
const OTHER = 'site-0000000000000002';
const ZONE = 'zone-0000000000000001';

export function describeDnsOwnership(stage: () => DnsStage): void {
  describe('ownership', () => {
    it.each([
      ['an address', 'A', '203.0.113.5'],
      ['an address of the other family', 'AAAA', '2001:db8::5'],
      ['a CNAME', 'CNAME', 'elsewhere.example.net'],
    ])('%s that somebody else has set is never touched, and told', async (_what, type, data) => {
      await stage().world.add('taken.example.org', type, data);
      const before = await stage().world.everything();
      const spec = specOf(
        SITE,
        record('free.example.org', 'A', '192.0.2.1'),
        record('taken.example.org', 'A', '192.0.2.1'),
      );
      await expect(stage().plan(spec)).rejects.toMatchObject({
        code: 'failed_precondition',
        message: expect.stringMatching(new RegExp(`taken\\.example\\.org.*${data}.*remove it there`)),
      });
      expect(await stage().world.everything()).toEqual(before);
    });

    it('what somebody else has set just like that is adopted, and goes with the site', async () => {
      await stage().world.add(WWW, 'A', '192.0.2.10', 3600);
      expect(await stage().apply(siteSpec())).toHaveLength(4);
      expect(await stage().plan(siteSpec())).toEqual([]);
      await stage().world.add(WWW, 'A', '203.0.113.5', 3600);
      expect(await stage().apply(siteSpec())).toEqual([expect.stringContaining('203.0.113.5')]);
      await stage().remove(siteSpec());
      expect(await stage().answers(WWW, 'A')).toEqual([]);
    });

    it('a name belongs to one owner, and other types of it may belong to another', async () => {
      await stage().apply(siteSpec());
      const before = await stage().world.everything();
      const rival = specOf(OTHER, record(WWW, 'AAAA', '2001:db8::99'));
      await expect(stage().plan(rival)).rejects.toMatchObject({
        code: 'already_exists',
        message: expect.stringContaining(SITE),
      });
      expect(await stage().world.everything()).toEqual(before);
      const mail = { siteId: ZONE, zone: 'example.org', records: [record(WWW, 'MX', '10 mail.example.org')] };
      await stage().apply(mail);
      expect(await stage().plan(siteSpec())).toEqual([]);
      const seen = await stage().engine.inspect(stage().service, stage().ctx);
      expect(new Set(seen.map(({ siteId }) => siteId))).toEqual(new Set([SITE, ZONE]));
      await stage().remove(siteSpec());
      expect(await stage().plan(mail)).toEqual([]);
      await stage().remove(mail);
      expect((await stage().world.everything()).join('\n')).not.toContain('aegir');
    });

    it('records that a spec has no more go, with their names', async () => {
      await stage().apply(siteSpec());
      const fewer = siteSpec({ records: siteSpec().records.filter(({ name }) => name === WWW) });
      expect(await stage().apply(fewer)).toHaveLength(2);
      expect(await stage().answers(IDN, 'A')).toEqual([]);
      expect(await stage().answers(WWW, 'A')).toEqual(['192.0.2.10']);
    });

    it('a change by somebody else since the plan is noticed, and nothing done', async () => {
      const changes = await stage().engine.plan(
        stage().service,
        specOf(SITE, record('new.example.org', 'A', '192.0.2.1')),
        stage().ctx,
      );
      await stage().world.add('new.example.org', 'A', '203.0.113.5');
      const before = await stage().world.everything();
      await expect(runChanges(changes, stage().ctx)).rejects.toMatchObject({ code: 'aborted', retryable: true });
      expect(await stage().world.everything()).toEqual(before);
    });

    it('a wildcard and several addresses of a name are set and go', async () => {
      const before = await stage().world.everything();
      const spec = specOf(
        SITE,
        record('*.wild.example.org', 'A', '192.0.2.1'),
        record('many.example.org', 'A', '192.0.2.1'),
        record('many.example.org', 'A', '192.0.2.2'),
        record('long.example.org', 'TXT', `"${'long '.repeat(100)}" "gr\\195\\188n \\"quoted\\" \\\\"`),
      );
      expect(await stage().apply(spec)).toHaveLength(4);
      expect(await stage().plan(spec)).toEqual([]);
      expect(await stage().answers('any.wild.example.org', 'A')).toEqual(['192.0.2.1']);
      expect([...(await stage().answers('many.example.org', 'A'))].sort()).toEqual(['192.0.2.1', '192.0.2.2']);
      expect(await stage().remove(spec)).toHaveLength(4);
      expect(await stage().world.everything()).toEqual(before);
    });

    it('a record of another zone is refused', async () => {
      const spec = specOf(SITE, record('www.example.com', 'A', '192.0.2.1'));
      await expect(stage().plan(spec)).rejects.toMatchObject({ code: 'invalid_argument' });
    });

    it('a zone that is not there is told, and is no hindrance to a removal', async () => {
      const spec = { siteId: SITE, zone: 'example.com', records: [record('www.example.com', 'A', '192.0.2.1')] };
      await expect(stage().plan(spec)).rejects.toMatchObject({
        code: 'not_found',
        message: expect.stringContaining('example.com'),
      });
      expect(await stage().remove(spec)).toEqual([]);
    });
  });
}

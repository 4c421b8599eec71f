import { expect, it } from 'vitest';
import { AegirError } from '../../../../shared/error.ts';
import { createFakeHost } from '../../../host/fake.ts';
import { contentsOf, type Edit } from '../rrset.ts';
import { requireTools } from './tools.ts';
import { mailDoubt, sendUpdate, updateScript } from './update.ts';

const server = {
  host: '127.0.0.1',
  port: 53,
  key: { name: 'k', algorithm: 'hmac-sha256', secret: 'c2VjcmV0c2VjcmV0' },
};
const set = (name: string, type: string, ...data: string[]) => ({ name, type, ttl: 60, data });
const www = 'www.example.org';

it('names what must be there, makes room, then adds', () => {
  const edits: Edit[] = [
    { name: www, type: 'CNAME', before: set(www, 'CNAME', 'a.b.'), after: undefined },
    { name: www, type: 'A', before: undefined, after: set(www, 'A', '192.0.2.1', '192.0.2.2') },
  ];
  expect(updateScript(server, 'example.org', edits).split('\n')).toEqual([
    'server 127.0.0.1 53',
    'key hmac-sha256:k c2VjcmV0c2VjcmV0',
    'zone example.org.',
    'prereq yxrrset www.example.org. CNAME a.b.',
    'prereq nxrrset www.example.org. A',
    'update delete www.example.org. CNAME',
    'update add www.example.org. 60 A 192.0.2.1',
    'update add www.example.org. 60 A 192.0.2.2',
    'send',
    '',
  ]);
});

it('sets the name servers of the zone before it removes the old ones, and never the SOA', () => {
  const zone = 'example.org';
  const edits: Edit[] = [
    {
      name: zone,
      type: 'SOA',
      before: set(zone, 'SOA', 'a. b. 1 2 3 4 5'),
      after: set(zone, 'SOA', 'c. d. 2 2 3 4 5'),
    },
    { name: zone, type: 'NS', before: set(zone, 'NS', 'a.', 'b.'), after: set(zone, 'NS', 'b.', 'c.') },
  ];
  expect(
    updateScript({ ...server, key: undefined }, zone, edits)
      .split('\n')
      .slice(2),
  ).toEqual([
    'prereq yxrrset example.org. NS a.',
    'prereq yxrrset example.org. NS b.',
    'update add example.org. 60 SOA c. d. 2 2 3 4 5',
    'update add example.org. 60 NS b.',
    'update add example.org. 60 NS c.',
    'update delete example.org. NS a.',
    'send',
    '',
  ]);
});

it('says which package is missing, and not that there is no zone', async () => {
  const host = createFakeHost({
    answer: () => {
      throw new AegirError('not_found', 'cannot run nsupdate: there is no such program on this host; install it');
    },
  });
  const sent = sendUpdate(host, server, 'example.org', [], new AbortController().signal);
  await expect(sent).rejects.toMatchObject({
    code: 'failed_precondition',
    message: expect.stringContaining('bind9-dnsutils'),
  });
});

it.each([
  [[], false],
  [['dig'], false],
  [['nsupdate'], false],
  [['dig', 'nsupdate'], true],
])('with %j a zone may be made: %s', async (programs, may) => {
  const asked = requireTools(createFakeHost({ programs }), 'make zone example.org');
  if (may) await asked;
  else await expect(asked).rejects.toThrow(/cannot make zone example.org: .*install bind9-dnsutils/);
});

it('says of a refused MX record that its host may lack an address', async () => {
  const host = createFakeHost({ answer: () => ({ code: 2, stderr: 'update failed: REFUSED' }) });
  const refused = (data: string) => {
    const edits: Edit[] = [
      { name: 'example.org', type: 'MX', before: undefined, after: set('example.org', 'MX', data) },
    ];
    return sendUpdate(host, server, 'example.org', edits, new AbortController().signal);
  };
  await expect(refused('10 mail.example.org.')).rejects.toThrow(/add one for mail\.example\.org first/);
  // Of other zones it knows nothing.
  await expect(refused('10 mail.example.net.')).rejects.toThrow(/refuses it; allow updates/);
});

it('doubts, before anything is done, that a new MX record is taken whose host has no address', () => {
  const edits: Edit[] = [
    { name: 'example.org', type: 'MX', before: undefined, after: set('example.org', 'MX', '10 mail.example.org.') },
  ];
  const address = { name: 'mail.example.org', type: 'AAAA', ttl: 60, data: '2001:db8::1' };
  expect(mailDoubt('example.org', edits, contentsOf([]))).toMatch(
    /BIND among them, refuse.*add one for mail\.example\.org first$/,
  );
  expect(mailDoubt('example.org', edits, contentsOf([address]))).toBeUndefined();
  expect(mailDoubt('example.net', edits, contentsOf([]))).toBeUndefined();
});

it.each([
  ['update failed: NXRRSET', 'aborted', 'somebody else has changed it meanwhile'],
  ['update failed: YXRRSET', 'aborted', 'somebody else has changed it meanwhile'],
  ['update failed: REFUSED', 'permission_denied', 'allow updates'],
  ['update failed: NOTAUTH', 'not_found', 'does not carry zone'],
  ['; TSIG error with server: tsig indicates error\nupdate failed: NOTAUTH(BADSIG)', 'failed_precondition', 'secret'],
  ['; TSIG error with server: x\nupdate failed: NOTAUTH(BADKEY)', 'failed_precondition', 'does not know the key'],
  ['update failed: SERVFAIL', 'unavailable', 'SERVFAIL'],
  ['; Communication with 127.0.0.1#53 failed: timed out', 'unavailable', 'in time'],
  ['; Communication with 127.0.0.1#53 failed: connection refused', 'unavailable', 'no answer'],
  ['could not read rdata', 'internal', 'could not read rdata'],
  [`could not create key from k ${server.key.secret}`, 'internal', 'create key from k [secret]'],
])('tells what became of it: %s', async (stderr, code, says) => {
  const host = createFakeHost({ answer: () => ({ code: 2, stderr }) });
  const sent = sendUpdate(host, server, 'example.org', [], new AbortController().signal);
  await expect(sent).rejects.toMatchObject({ code, message: expect.stringContaining(says) });
  expect(host.commands[0]?.argv.join(' ')).not.toContain(server.key.secret);
});

import { describe, expect, it } from 'vitest';
import { allowedHost, namesOf } from './site-names.ts';

describe('names', () => {
  it('come from the id of a site alone', () => {
    expect(namesOf('site-0123456789abcdef')).toEqual({
      database: 'site_0123456789abcdef',
      user: 's_0123456789abcdef',
      deputy: 'd_0123456789abcdef',
      follower: 'f_0123456789abcdef',
    });
  });

  it.each([
    '',
    'site-',
    'mysql',
    'site-%',
    'site-________________',
    "site-1'",
    'plat-0123456789abcdef',
    'site-../../etc',
  ])('are refused for %j', (siteId) => expect(() => namesOf(siteId)).toThrow(/that is no site id/));
});

describe('an allowed host', () => {
  it.each([
    ['192.0.2.1', '192.0.2.1'],
    ['localhost', 'localhost'],
    ['2001:DB8:0:0::1', '2001:db8::1'],
    ['::1', '::1'],
    ['::ffff:192.0.2.1', '192.0.2.1'],
    ['::FFFF:c000:201', '192.0.2.1'],
  ])('%s is %s to the server', (host, seen) => expect(allowedHost(host)).toBe(seen));

  it.each([
    '%',
    '',
    '192.0.2.%',
    '192.0.2.0/24',
    '192.0.2.0/255.255.255.0',
    'fe80::1%eth0',
    'web.example.org',
    '1.2.3',
    '_',
  ])('is not %j', (host) => expect(() => allowedHost(host)).toThrow(/no IP address/));
});

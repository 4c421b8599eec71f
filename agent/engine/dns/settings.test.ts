import { describe, expect, it } from 'vitest';
import type { ServiceRef } from '../../../shared/gen/aegir/v1/spec.ts';
import { checkKeys, endpointOf, needed, urlOf, yesOrNo, zonesOf } from './settings.ts';

const service = (settings: Record<string, string>, secrets: Record<string, string> = {}): ServiceRef => ({
  id: 'svc-0000000000000001',
  serverId: 'srv-0000000000000001',
  type: 'dns',
  engine: 'rfc2136',
  version: '',
  instance: '',
  settings,
  secrets,
});

describe('settings', () => {
  it.each([
    ['ns.example.org', 'ns.example.org', 53],
    ['192.0.2.1:5353', '192.0.2.1', 5353],
    ['2001:db8::1', '2001:db8::1', 53],
    ['[2001:db8::1]:5353', '2001:db8::1', 5353],
    ['[2001:db8::1]', '2001:db8::1', 53],
  ])('server %s', (text, host, port) => {
    expect(endpointOf(service({ server: text }), 'server', 53)).toEqual({ host, port });
  });

  it.each([undefined, '', '-x', 'a b', 'a:0', 'a:99999', 'a:b', '[a]:53', 'a:1:2', 'a\n+tcp'])(
    'refuses the server %j and names the key',
    (text) => {
      const declared = service(text === undefined ? {} : { server: text });
      expect(() => endpointOf(declared, 'server', 53)).toThrow(/settings "server": /);
    },
  );

  it('takes http and https URLs', () => {
    expect(urlOf(service({ url: 'http://127.0.0.1:8081/' }), 'url')).toBe('http://127.0.0.1:8081');
    expect(urlOf(service({}), 'url', 'http://127.0.0.1:8081')).toBe('http://127.0.0.1:8081');
    for (const url of ['ftp://a', 'a', 'http://u:p@a/', 'http://a/?x=1', 'http://a/#x', '']) {
      expect(() => urlOf(service({ url }), 'url')).toThrow(/settings "url": /);
    }
  });

  it('takes yes, no and names of zones', () => {
    expect(yesOrNo(service({}), 'axfr', true)).toBe(true);
    expect(yesOrNo(service({ axfr: 'no' }), 'axfr', true)).toBe(false);
    expect(() => yesOrNo(service({ axfr: 'false' }), 'axfr', true)).toThrow(/settings "axfr": .*neither yes nor no/);
    expect(zonesOf(service({ zones: 'example.org, Example.COM.' }), 'zones')).toEqual(['example.org', 'example.com']);
    expect(() => zonesOf(service({ zones: 'a b_c' }), 'zones')).toThrow(/settings "zones": /);
  });

  it('refuses keys that it does not know, and quotes no secret', () => {
    const known = { settings: ['server'], secrets: ['key'] };
    expect(() => checkKeys(service({ server: 'a' }, { key: 'b' }), known)).not.toThrow();
    expect(() => checkKeys(service({ sever: 'a' }), known)).toThrow(/settings "sever": .*\(it knows: server\)/);
    expect(() => checkKeys(service({}, { kee: 'hush' }), known)).toThrow(/^(?!.*hush).*secrets "kee"/);
    expect(() => checkKeys(service({}, { key: 'hush\nhush' }), known)).toThrow(
      /^(?!.*hush).*"key": it has line breaks/,
    );
    expect(() => checkKeys(service({}, { key: 'hush\r\n' }), known)).not.toThrow();
    expect(() => needed(service({}), 'secrets', 'key')).toThrow(/secrets "key": it is missing/);
  });
});

import { expect, test } from 'vitest';
import { parseMasterConfig } from './config.ts';

const good = { dataDir: '/var/lib/aegir', advertise: ['master.example.org', '192.0.2.1'] };

test('what is left out has defaults', () => {
  const config = parseMasterConfig(good);
  expect(config.listen.api).toEqual({ host: '0.0.0.0', port: 7443 });
  expect(config.listen.mesh).toEqual({ host: '0.0.0.0', port: 7447 });
  expect(config.store).toEqual({ kind: 'sqlite' });
});

test('IPv6 and a mesh that is off', () => {
  const config = parseMasterConfig({ ...good, listen: { api: '[::1]:1', mesh: 'off' } });
  expect(config.listen.api).toEqual({ host: '::1', port: 1 });
  expect(config.listen.mesh).toBeUndefined();
});

test('places for connections', () => {
  expect(parseMasterConfig(good).connections).toEqual({ api: {}, agent: {}, enrol: {} });
  const given = { agent: { mostOfAddress: 10_000 } };
  expect(parseMasterConfig({ ...good, connections: given }).connections).toEqual({ api: {}, enrol: {}, ...given });
});

test.each([
  [{ ...good, connections: { web: {} } }, /no such setting/],
  [{ ...good, transfer: { grantSeconds: 1 } }, /transfer.grantSeconds/],
  [{ ...good, transfer: { grantSeconds: 7200 } }, /5 to 3600/],
  [{ ...good, connections: { api: { least: 1 } } }, /no such setting/],
  [{ ...good, connections: { api: { most: 0 } } }, /connections.api.most/],
  [{ ...good, connections: { api: { mostOfAddress: '9' } } }, /1 to 30000/],
  [null, /object/],
  [{}, /advertise/],
  [{ ...good, dataDir: 'relative' }, /absolute/],
  [{ ...good, advertise: [] }, /advertise/],
  [{ ...good, advertise: ['a b'] }, /advertise/],
  [{ ...good, listen: { api: 'x' } }, /ADDRESS:PORT/],
  [{ ...good, listen: { api: '127.0.0.1:70000' } }, /ADDRESS:PORT/],
  [{ ...good, lisen: {} }, /no such setting/],
  [{ ...good, listen: { ape: 'x:1' } }, /no such setting/],
  [{ ...good, store: { kind: 'mysql' } }, /sqlite or postgresql/],
  [{ ...good, store: { kind: 'postgresql', url: 'http://x' } }, /postgresql:/],
  [{ ...good, logLevel: 'loud' }, /logLevel/],
])('refuses %j', (value, why) => {
  expect(() => parseMasterConfig(value)).toThrow(why);
});

import { expect, test } from 'vitest';
import { ADMIN_SERVICES } from './methods.ts';
import { mayCall, RIGHTS } from './rights.ts';

const paths = ADMIN_SERVICES.flatMap((service) => Object.values(service).map((method) => method.path as string));

test('every method has a right, and every right a method', () => {
  expect(Object.keys(RIGHTS).sort()).toEqual([...paths].sort());
});

test('a method that is not listed is denied to everyone', () => {
  expect(mayCall('admin', '/aegir.v1.SiteService/Unknown')).toBe(false);
  expect(mayCall('admin', '/aegir.v1.AgentService/Session')).toBe(false);
});

test('viewers only read', () => {
  const reading = paths.filter((path) => mayCall('viewer', path)).map((path) => path.split('/')[2] ?? '');
  expect(reading.filter((name) => !/^(List|Get|Watch)/.test(name))).toEqual([]);
  expect(reading).not.toContain('GetJoinCommand');
  expect(reading).not.toContain('ListTokens');
});

// Modules of Debian's Apache, enabled by links as a2enmod makes them.
import { expect, it } from 'vitest';
import { createFakeHost } from '../../../host/fake.ts';
import { contextOf } from '../../conformance/interruption.ts';
import { runChanges } from '../../engine.ts';
import { modulesFor, planModules } from './modules.ts';

const MODULES = modulesFor({ tls: false, passwords: false, forwards: false });
const ROOT = '/etc/apache2';

async function debian(available: readonly string[]) {
  const host = createFakeHost({ daemons: [{ name: 'apache2', includeDir: `${ROOT}/sites-enabled` }] });
  for (const name of available) await host.files.write(`${ROOT}/mods-available/${name}`, 'x', { mode: 0o644 });
  const daemon = await host.daemon('apache2');
  if (daemon === undefined) throw new Error('the fake has no Apache');
  return { host, plan: (tls = false) => planModules(host, daemon, { tls, passwords: false, forwards: false }) };
}
const loads = MODULES.map((name) => `${name}.load`);

it('enables what is missing, with the configuration of a module where it has one, once', async () => {
  const { host, plan } = await debian([...loads, 'proxy.conf', 'mime.conf']);
  // On without its configuration: somebody wanted it so.
  await host.files.link('../mods-available/mime.load', `${ROOT}/mods-enabled/mime.load`);
  const changes = await plan();
  expect(changes.map(({ summary }) => summary).join('\n')).not.toContain('module mime');
  expect(changes).toHaveLength(MODULES.length - 1 + 1);
  await runChanges(changes, contextOf(host));
  expect(await host.files.readLink(`${ROOT}/mods-enabled/proxy.conf`)).toBe('../mods-available/proxy.conf');
  expect(await host.files.readLink(`${ROOT}/mods-enabled/rewrite.load`)).toBe('../mods-available/rewrite.load');
  expect(await plan()).toEqual([]);
});

it('says which module the server does not have', async () => {
  const { plan } = await debian(loads.filter((name) => name !== 'proxy_fcgi.load'));
  await expect(plan()).rejects.toThrow(/cannot enable module proxy_fcgi of Apache: .*is missing; reinstall apache2/);
});

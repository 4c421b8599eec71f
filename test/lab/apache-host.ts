// A host of the lab whose web server is an Apache, as its package sets it up for PHP-FPM, in the place of nginx.
import { expect } from 'vitest';
import type { LabHost } from '../../deploy/lab/lab.ts';
import type { Fleet } from './fleet.ts';

/** The host has joined, and its nginx has no site. May be repeated. */
export async function putApache(fleet: Fleet, host: LabHost): Promise<void> {
  const { name } = host;
  for (const argv of [
    ['systemctl', 'disable', '--now', 'nginx'],
    ['a2dismod', '--quiet', '--force', 'php8.2', 'mpm_prefork'],
    ['a2enmod', '--quiet', 'mpm_event', 'proxy_fcgi'],
    ['systemctl', 'enable', '--now', 'apache2'],
  ])
    await fleet.lab.must(name, argv);
  const before = await fleet.pid(host, 'apache2');
  await fleet.must('server', 'detect', name);
  await fleet.must('service', 'enable', `${name}/apache`);
  expect(await seesNoLinks(fleet, host)).toBe(true);
  expect(await fleet.pid(host, 'apache2')).toBe(before);
}

/** Whether its Apache has the files of sites where the kernel follows no link. */
export async function seesNoLinks(fleet: Fleet, host: LabHost): Promise<boolean> {
  const mounts = await fleet.lab.must(host.name, ['cat', `/proc/${await fleet.pid(host, 'apache2')}/mountinfo`]);
  return /^.* \/var\/aegir\/linkless (?=\S*\bro\b)\S*\bnosymfollow\b/m.test(mounts);
}

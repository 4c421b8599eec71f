// A host of the lab whose web server is an Apache, as its package sets it up for PHP-FPM, in the place of nginx.
import type { LabHost } from '../../deploy/lab/lab.ts';
import type { Fleet } from './fleet.ts';

/** The host has joined, and its nginx has no site. May be repeated. */
export async function putApache({ lab, must }: Fleet, { name }: LabHost): Promise<void> {
  for (const argv of [
    ['systemctl', 'disable', '--now', 'nginx'],
    ['a2dismod', '--quiet', '--force', 'php8.2', 'mpm_prefork'],
    ['a2enmod', '--quiet', 'mpm_event', 'proxy_fcgi'],
    ['systemctl', 'enable', '--now', 'apache2'],
  ])
    await lab.must(name, argv);
  await must('server', 'detect', name);
  await must('service', 'enable', `${name}/apache`);
}

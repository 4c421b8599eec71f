// What a plan says of a site's user: on a host of its own it is made, on an embedded one there is none to make.
import { expect, test } from 'vitest';
import { createFakeHost } from '../host/fake.ts';
import { siteLayout } from '../host/site-layout.ts';
import { planAccount, planAccountRemoval } from './account.ts';

const SITE = 'site-0123456789abcde1';

async function said(kind: 'systemd' | 'embedded'): Promise<string> {
  const host = { ...createFakeHost({ daemons: [{ name: 'nginx', user: 'www-data' }] }), kind };
  const layout = siteLayout(host.paths, SITE);
  const made = await planAccount(layout, host);
  for (const change of made) await change.run({ host } as never);
  const removed = await planAccountRemoval(layout, host);
  return [...made, ...removed].map(({ summary }) => summary).join('\n');
}

test('a host of its own', async () => {
  const text = await said('systemd');
  expect(text).toMatch(/^make system user aegir-0123456789abcde1$/m);
  expect(text).toMatch(/^make directory \S+\/private \(0700 aegir-0123456789abcde1:aegir-0123456789abcde1\)$/m);
  expect(text).toMatch(/^end the processes of system user aegir-0123456789abcde1 and remove it$/m);
});

test('an embedded one', async () => {
  const text = await said('embedded');
  expect(text).not.toMatch(/system user|root:root/);
  expect(text).toMatch(/^note aegir-0123456789abcde1 as its user, who is the same for all sites of this server$/m);
  expect(text).toMatch(/^make directory \S+\/private \(0700\)$/m);
  expect(text).toMatch(/^forget aegir-0123456789abcde1, its user$/m);
});

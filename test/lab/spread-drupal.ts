// Real Drupal code on a cluster of an nginx and an Apache that share no files, on the systemd hosts of another test. Only where
// AEGIR_DRUPAL_CODE names a code base of Drupal 7 (the first one, of several).
import { cpSync, existsSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import type { LabHost } from '../../deploy/lab/lab.ts';
import { putApache } from './apache-host.ts';
import type { Fleet } from './fleet.ts';
import { createVisitor, type Page, type Visitor, visit } from './visitor.ts';

const SITE = 'seven.test';
const code = (process.env['AEGIR_DRUPAL_CODE'] ?? '')
  .split(':')
  .find((each) => existsSync(join(each, 'includes/bootstrap.inc')));
const PNG = Buffer.from(
  'iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg==',
  'base64',
);

/** common is the directory of this machine that the heads see at /srv/common. As describeSpread leaves the hosts. */
export function describeDrupal(of: () => Fleet, common: () => string): void {
  describe.runIf(code !== undefined)('Drupal on heads that share no files', { tags: ['deep'] }, () => {
    const picture = '/tmp/aegir-lab-picture.png';
    let owner: Visitor;
    let siteId = '';
    const front = () => of().host('front');
    const web3 = () => of().host('web3');
    const heads = () => [of().web1, web3()];
    const serviceOf = (host: LabHost) => `${host.name}/${host.name === web3().name ? 'apache' : 'nginx'}`;
    const inSite = (host: LabHost, script: string) =>
      of().lab.must(host.name, ['sh', '-c', `cd /var/aegir/sites/${siteId} && ${script}`]);
    const writer = async (): Promise<LabHost> => {
      type Shown = { readonly spread: readonly { readonly writer: string }[] };
      const [spread] = (await of().json<Shown>('cluster', 'show', 'seven')).spread;
      const host = heads().find((each) => serviceOf(each) === spread?.writer);
      if (host === undefined) throw new Error('nobody takes writes');
      return host;
    };
    const other = async () => {
      const { name } = await writer();
      return heads().find((each) => each.name !== name) as LabHost;
    };
    const url = (path: string) => `http://${SITE}${path}`;
    /** What a form of Drupal gives and takes back. */
    const hidden = ({ body }: Page, form: string) => {
      const text = body.slice(body.indexOf(`id="${form}"`));
      return ['form_build_id', 'form_token', 'form_id'].map((name) => {
        const value = new RegExp(`name="${name}" value="([^"]*)"`).exec(text)?.[1];
        if (value === undefined) throw new Error(`there is no form ${form} with ${name}`);
        return `${name}=${value}`;
      });
    };
    /** An article with a picture; answers the picture's path, and that of its thumbnail. */
    const upload = async (title: string) => {
      writeFileSync(picture, PNG);
      const form = await owner.get(url('/node/add/article'));
      const page = await owner.submit(url('/node/add/article'), [
        ...hidden(form, 'article-node-form'),
        ...[`title=${title}`, 'op=Save', `files[field_image_und_0]=@${picture};filename=${title}.png`],
      ]);
      expect(page.body).toContain(`Article <em class="placeholder">${title}</em> has been created`);
      const shown =
        new RegExp(`src="http://${SITE}(/sites/[^"]*/styles/[^"]*${title}[^"]*)"`).exec(page.body)?.[1] ?? '';
      const style = shown.replaceAll('&amp;', '&');
      return { style, path: style.replace(/\/styles\/[^/]+\/public\//, '/').replace(/\?.*/, '') };
    };

    beforeAll(async () => {
      const { db1, lab, must } = of();
      await putApache(of(), web3());
      cpSync(code ?? '', join(common(), 'seven'), { recursive: true });
      for (const { name } of heads()) await lab.must(name, ['cp', '-r', '/srv/common/seven', '/srv/seven']);
      rmSync(join(common(), 'seven'), { recursive: true });
      await must('cluster', 'create', 'seven', '--front', front().name, '--head', ...heads().map(serviceOf));
      await must('platform', 'add', 'seven', '/srv/seven', '--service', `${front().name}/cluster:seven`);
      const said = await must(
        'site',
        'install',
        SITE,
        '--platform',
        'seven',
        '--db',
        `${db1.name}/mariadb`,
        '--title',
        'Seven',
      );
      siteId = (await of().json<{ id: string }>('site', 'show', SITE)).id;
      owner = createVisitor(front());
      const link = /http:\/\/seven\.test\/\S+/.exec(said)?.[0] ?? '';
      expect((await owner.get(link)).body).toContain('logged-in');
    });
    afterAll(() => {
      owner?.close();
      rmSync(picture, { force: true });
    });

    test('both heads have the settings to the letter, and either shows its pages', async () => {
      const sums = await Promise.all(
        heads().map((host) => inSite(host, 'find docroot/own config -name "*.php" | sort | xargs sha256sum')),
      );
      expect(sums[0]).toMatch(/settings\.php/);
      expect(sums[1]).toBe(sums[0]);
      for (const host of heads()) expect((await visit(host, url('/'))).body).toContain('Seven');
    });

    test.each(['first', 'second'])(
      'the %s head takes writes: uploads, what is made of them, and private files',
      async (which) => {
        const [to, reader] = [
          await (which === 'first' ? writer() : other()),
          await (which === 'first' ? other() : writer()),
        ];
        await of().must('cluster', 'writer', SITE, serviceOf(to));
        const { path, style } = await upload(`${which}-picture`);
        await inSite(to, `test -e .${path.replace(`/sites/${siteId}`, '')}`);
        for (const host of [to, reader, front(), front()]) {
          // The thumbnail is made when it is first asked for, on the head that takes writes.
          for (const each of [style, path])
            expect([each, host.name, (await visit(host, url(each))).status]).toEqual([each, host.name, 200]);
        }
        await inSite(to, `echo of ${which} >private/${which}.txt && chown --reference=private private/${which}.txt`);
        await of().must('cluster', 'sync', 'seven');
        expect(await inSite(reader, `cat private/*/${which}.txt private/${which}.txt 2>/dev/null || true`)).toContain(
          `of ${which}`,
        );
        const list = 'find files private -type f -exec sha256sum {} + | sort -k2';
        expect(await inSite(reader, list)).toBe(await inSite(to, list));
        expect((await visit(front(), url(`/sites/${siteId}/private/${which}.txt`))).status).toBe(404);
      },
    );

    test('styles and scripts that pages put together are served by both', async () => {
      const form = await owner.get(url('/admin/config/development/performance'));
      const on = ['preprocess_css=1', 'preprocess_js=1', 'op=Save configuration'];
      await owner.submit(url('/admin/config/development/performance'), [
        ...hidden(form, 'system-performance-settings'),
        ...on,
      ]);
      const { body } = await visit(front(), url('/'));
      const made = [...body.matchAll(new RegExp(`http://${SITE}(/sites/[^"]*/files/(?:css|js)/[^"]+)"`, 'g'))].map(
        ([, path]) => path ?? '',
      );
      expect(made.length).toBeGreaterThan(2);
      for (const host of [...heads(), front()])
        for (const path of made)
          expect([path, host.name, (await visit(host, url(path))).status]).toEqual([path, host.name, 200]);
    });

    test('cron runs on the head that takes writes alone', async () => {
      const { name } = await writer();
      const said = await of().aegir('site', 'cron', SITE, '-v');
      expect([said.code, said.stderr]).toEqual([0, expect.stringMatching(/cron of Drupal 7\.\d+ ran/)]);
      const shown = await of().json<{ cron: { server: string } }>('site', 'show', SITE);
      expect(shown.cron.server).toBe(name);
    });

    test('there is nothing to mend, and it goes with all that it has', async () => {
      type Planned = { readonly steps: readonly { readonly changes?: readonly string[] }[] };
      const { steps } = await of().json<Planned>('site', 'verify', SITE, '--plan');
      expect(steps.flatMap(({ changes = [] }) => changes)).toEqual([]);
      await of().must('site', 'delete', SITE, '--yes', '--no-backup');
      await of().must('platform', 'remove', 'seven', '--yes');
      await of().must('cluster', 'delete', 'seven', '--yes');
      for (const { name } of heads())
        expect(await of().lab.must(name, ['sh', '-c', 'ls /var/aegir/sites /srv/seven/sites'])).not.toContain('site-');
    });
  });
}

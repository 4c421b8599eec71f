import { describe, expect, test } from 'vitest';
import { SiteSpec } from '../../shared/gen/aegir/v1/spec.ts';
import { createDrupalApp } from '../app/drupal/app.ts';
import { renderSettings as renderDrupal } from '../app/drupal/settings.ts';
import { createPhpApp, renderSettings as renderPhp } from '../app/php/app.ts';
import { createWordpressApp } from '../app/wordpress/app.ts';
import { renderSettings as renderWordpress } from '../app/wordpress/settings.ts';
import { createFakeHost } from '../host/fake.ts';
import { siteLayout } from '../host/site-layout.ts';
import { PASSWORD, SALT, siteSpec } from '../testing/requests.ts';
import { phpSecrets, secretsIn } from './secrets.ts';

const host = createFakeHost();
const site = SiteSpec.fromPartial({ ...siteSpec() });
const db = site.db;
if (db === undefined) throw new Error('the site of the tests has a database');
const layout = siteLayout(host.paths, site.id);

describe("a site's secrets", () => {
  test.each([
    ['wordpress', createWordpressApp(), renderWordpress(site, db, layout), 9],
    ['drupal 7', createDrupalApp(), renderDrupal(7, site, db, layout), 2],
    ['drupal 10', createDrupalApp(), renderDrupal(8, site, db, layout), 2],
    ['php', createPhpApp(), renderPhp(site, layout), 2],
  ])('are found in the settings of %s', async (_, app, text, many) => {
    const [path = ''] = app.secretFiles(layout);
    await host.files.write(path, text, { mode: 0o440 });
    const found = await secretsIn(app.secretFiles(layout), host);
    expect(found).toContain(PASSWORD);
    expect(new Set(found).size).toBe(many);
    // What is no secret may be told.
    expect(found).not.toContain(db.database);
    expect(found).not.toContain(site.url);
  });

  test('are found as PHP means them', () => {
    expect(phpSecrets(`'password' => 'it\\'s \\\\ here',\ndefine('AUTH_KEY', 'b');`)).toEqual(["it's \\ here", 'b']);
    expect(phpSecrets(renderPhp({ ...site, salt: SALT }, layout))).toContain(SALT);
  });
});

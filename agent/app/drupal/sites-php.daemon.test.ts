// sites.php as a real PHP reads it: which site a request, an own command line and a person's command line find.
import { execFileSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { siteSpec } from '../../testing/requests.ts';
import { AEGIR_SITES_PHP, renderNames, renderPrepend, SITES_FILE, SITES_PHP } from './sites-php.ts';

const FIRST = siteSpec({
  id: 'site-00000000000000aa',
  name: 'one.test',
  aliases: ['www.one.test'],
  url: 'http://one.test',
});
const SECOND = siteSpec({ id: 'site-00000000000000bb', name: 'two.test', aliases: [], url: 'http://two.test:8080' });
let dir = '';

beforeAll(() => {
  dir = mkdtempSync(join(tmpdir(), 'aegir-sites-'));
  writeFileSync(join(dir, 'sites.php'), SITES_PHP);
  writeFileSync(join(dir, SITES_FILE), AEGIR_SITES_PHP);
  for (const site of [FIRST, SECOND]) {
    mkdirSync(join(dir, site.id));
    writeFileSync(join(dir, site.id, 'names.php'), renderNames(site));
    writeFileSync(join(dir, site.id, 'prepend.php'), renderPrepend(site));
  }
});
afterAll(() => rmSync(dir, { recursive: true, force: true }));

/** As conf_path() and findSitePath() do: inside of a function, with what others have put into $sites before. */
function sites(host: string, how: { readonly prepend?: string; readonly env?: Record<string, string> } = {}): unknown {
  const prepend = how.prepend === undefined ? [] : ['-d', `auto_prepend_file=${join(dir, how.prepend, 'prepend.php')}`];
  const program = `$_SERVER['HTTP_HOST'] = ${JSON.stringify(host)};
    function ask() { $sites = ['before.test' => 'kept']; include '${dir}/sites.php'; return get_defined_vars(); }
    echo json_encode(ask());`;
  const file = join(dir, 'ask.php');
  writeFileSync(file, `<?php ${program}`);
  const env = { PATH: process.env['PATH'] ?? '', ...how.env };
  return JSON.parse(execFileSync('php', ['-d', 'display_errors=stderr', ...prepend, file], { env, encoding: 'utf8' }));
}

test.each(['one.test', 'ONE.test:8081', 'one.test.', 'another.name'])(
  'the pool of a site finds it whatever it is called: %s',
  (host) => {
    const name = host.toLowerCase().replace(/:\d+$/, '').replace(/\.$/, '');
    const expected = { sites: { 'before.test': 'kept', [name]: FIRST.id } };
    expect(sites(host, { prepend: FIRST.id })).toEqual(expected);
    // Not even where the environment says otherwise.
    expect(sites(host, { prepend: FIRST.id, env: { AEGIR_SITE: SECOND.id } })).toEqual(expected);
  },
);

test('a command line of ours says which site it means', () => {
  expect(sites('two.test:8080', { env: { AEGIR_SITE: SECOND.id } })).toEqual({
    sites: { 'before.test': 'kept', 'two.test': SECOND.id },
  });
});

test("a person's command line finds sites by their names", () => {
  expect(sites('default')).toEqual({
    sites: { 'before.test': 'kept', 'one.test': FIRST.id, 'www.one.test': FIRST.id, 'two.test': SECOND.id },
  });
});

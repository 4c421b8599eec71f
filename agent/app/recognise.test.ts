// Which app a code base is of, and what is said of it: one table for all apps, in their order.
import { beforeEach, expect, test } from 'vitest';
import { createFakeHost, type FakeHost } from '../host/fake.ts';
import { createApps } from './apps.ts';
import { writeCode } from './conformance-code.ts';

const ROOT = '/srv/code';
const modern = (version: string, minimum = "  const MINIMUM_PHP = '8.1.0';\n") =>
  `<?php\nclass Drupal {\n  /** The current system version. */\n  const VERSION = '${version}';\n${minimum}}\n`;
const PROFILE = "name: Standard\ntype: profile\ndescription: 'x'\n";
const SEVEN = "<?php\ndefine('VERSION', '7.105');\ndefine('DRUPAL_MINIMUM_PHP', '5.3.3');\n";

const under = (prefix: string, files: Readonly<Record<string, string>>) =>
  Object.fromEntries(Object.entries(files).map(([name, text]) => [`${prefix}${name}`, text]));
const DRUPAL_10 = {
  'index.php': '<?php',
  'core/lib/Drupal.php': modern('10.3.1'),
  'core/profiles/standard/standard.info.yml': PROFILE,
  'core/profiles/minimal/minimal.info.yml': PROFILE,
  'core/profiles/testing/testing.info.yml': `${PROFILE}hidden: true\n`,
  'profiles/contrib/agency/agency.info.yml': PROFILE,
  'profiles/broken/broken.info.yml': 'type: module\n',
};
const DRUPAL_7 = {
  'index.php': '<?php',
  'includes/bootstrap.inc': SEVEN,
  'modules/system/system.module': '<?php',
  'profiles/standard/standard.info': 'name = Standard\n',
  'profiles/testing/testing.info': 'name = Testing\nhidden = TRUE\n',
};
const WORDPRESS = {
  'index.php': '<?php',
  'wp-settings.php': '<?php',
  'wp-includes/version.php': "<?php\n$wp_version = '6.6.2';\n$required_php_version = '7.2.24';\n",
};
const scaffold = (root: string) =>
  JSON.stringify({ extra: { 'drupal-scaffold': { locations: { 'web-root': root } } } });

interface Row {
  readonly what: string;
  readonly files: Readonly<Record<string, string>>;
  readonly facts: Readonly<Record<string, unknown>> | undefined;
}

const profiles = ['agency', 'minimal', 'standard'];
const ten = { app: 'drupal', version: '10.3.1', phpMinimum: '8.1', profiles };
const ROWS: readonly Row[] = [
  { what: 'Drupal 10 in its own directory', files: DRUPAL_10, facts: { ...ten, docroot: ROOT } },
  { what: 'Drupal 10 in web/', files: under('web/', DRUPAL_10), facts: { ...ten, docroot: `${ROOT}/web` } },
  { what: 'Drupal 10 in docroot/', files: under('docroot/', DRUPAL_10), facts: { ...ten, docroot: `${ROOT}/docroot` } },
  {
    what: 'Drupal 10 where composer.json says',
    files: { ...under('app/pub/', DRUPAL_10), 'composer.json': scaffold('app/pub/') },
    facts: { ...ten, docroot: `${ROOT}/app/pub` },
  },
  {
    what: 'a place outside is not looked at',
    files: { ...under('../other/', DRUPAL_10), 'composer.json': scaffold('../other/') },
    facts: undefined,
  },
  {
    what: 'composer.json that is no JSON',
    files: { ...DRUPAL_10, 'composer.json': '{' },
    facts: { ...ten, docroot: ROOT },
  },
  {
    what: 'Drupal 8, whose smallest PHP stands elsewhere',
    files: {
      'index.php': '<?php',
      'core/lib/Drupal.php': modern('8.9.20', ''),
      'core/includes/bootstrap.inc': "<?php\nconst DRUPAL_MINIMUM_PHP = '7.0.8';\n",
    },
    facts: { app: 'drupal', version: '8.9.20', phpMinimum: '7.0', profiles: [] },
  },
  {
    what: 'a development version',
    files: { ...DRUPAL_10, 'core/lib/Drupal.php': modern('11.3-dev') },
    facts: { version: '11.3-dev' },
  },
  {
    what: 'Drupal 7',
    files: DRUPAL_7,
    facts: { app: 'drupal', version: '7.105', phpMinimum: '5.3', profiles: ['standard'], docroot: ROOT },
  },
  {
    what: 'Drupal 6 is not ours: it is PHP',
    files: { ...DRUPAL_7, 'includes/bootstrap.inc': "<?php\ndefine('BOOTSTRAP', '6.38');\n" },
    facts: { app: 'php' },
  },
  { what: 'Drupal without its front controller', files: { 'core/lib/Drupal.php': modern('10.3.1') }, facts: undefined },
  {
    what: 'WordPress',
    files: WORDPRESS,
    facts: { app: 'wordpress', version: '6.6.2', phpMinimum: '7.2.24', docroot: ROOT, languages: ['en_US'] },
  },
  {
    what: 'WordPress in some languages',
    files: {
      ...WORDPRESS,
      ...under('wp-content/languages/', {
        ...{ 'de_DE_formal.mo': '', 'pt_PT_ao90.mo': '', 'ja.mo': '', 'de_DE.po': '', 'themes/fr_FR.mo': '' },
        ...{ 'admin-de_DE.mo': '', 'continents-cities-nl_NL.mo': '', 'ms-sv_SE.mo': '' },
      }),
    },
    facts: { app: 'wordpress', languages: ['en_US', 'de_DE_formal', 'ja', 'pt_PT_ao90'] },
  },
  {
    what: 'WordPress with its languages beside its code',
    files: { ...WORDPRESS, 'wp-includes/languages/nb_NO.mo': '' },
    facts: { app: 'wordpress', languages: ['en_US', 'nb_NO'] },
  },
  {
    what: 'any PHP, in public/ before all',
    files: { 'public/index.php': '<?php', 'index.php': '<?php', 'composer.json': '{"require":{"php":"^8.2"}}' },
    facts: { app: 'php', docroot: `${ROOT}/public`, phpMinimum: '8.2' },
  },
  { what: 'static', files: { 'html/index.html': '<p>' }, facts: { app: 'static', docroot: `${ROOT}/html` } },
  { what: 'nothing at all', files: { 'notes.txt': 'x' }, facts: undefined },
];

let host: FakeHost;
beforeEach(() => {
  host = createFakeHost();
});

test.each(ROWS)('$what', async ({ files, facts }) => {
  await writeCode(host.files, ROOT, files);
  let found: unknown;
  for (const app of createApps()) {
    found = await app.recognise(ROOT, host);
    if (found !== undefined) break;
  }
  if (facts === undefined) expect(found).toBeUndefined();
  else expect(found).toMatchObject(facts);
  // Code that nobody has looked at yet is read, never run.
  expect(host.commands).toEqual([]);
});

// What becomes of values, by the real PHP: names, URLs in all their spellings, and what PHP serialised.
import { execFileSync } from 'node:child_process';
import { describe, expect, test } from 'vitest';
import { siteSpec } from '../testing/requests.ts';
import { REWRITE_TEXT, rewriteRules } from './rewrite-text.ts';

const OLD = 'site-00000000000000aa';
const site = siteSpec({
  id: 'site-00000000000000bb',
  name: 'new.test',
  aliases: [],
  url: 'https://new.test:8443',
});
const FROM = { url: 'http://example.org:8080', names: ['www.example.org', 'xn--bcher-kva.example'], siteId: OLD };

/** Each value as the program answers it. */
function rewritten(values: readonly string[], part: { readonly to?: string; readonly from?: string } = {}) {
  const url = part.to ?? site.url;
  const to = { ...site, url, name: new URL(url).hostname };
  const rules = rewriteRules(to, { ...FROM, url: part.from ?? FROM.url });
  const program = `$in = json_decode(stream_get_contents(STDIN), true); ${REWRITE_TEXT}
    echo json_encode(array_map(fn($one) => ($new = aegir_rewrite(base64_decode($one))) === null ? null : base64_encode($new), $in['values']));`;
  const input = JSON.stringify({ rules, values: values.map((value) => Buffer.from(value).toString('base64')) });
  const told = JSON.parse(
    execFileSync('php', ['-d', 'display_errors=stderr', '-r', program], {
      input,
      encoding: 'utf8',
      maxBuffer: 1 << 28,
    }),
  ) as readonly (string | null)[];
  return told.map((value) => (value === null ? null : Buffer.from(value, 'base64').toString()));
}

/** A value of PHP by its literal, serialised and read again by PHP. */
function php(expression: string): string {
  return execFileSync('php', ['-r', `echo ${expression};`], { encoding: 'utf8' });
}

describe('text', () => {
  const BECOMES: readonly (readonly [string, string])[] = [
    // URLs
    ['http://example.org:8080/a?b#c', 'https://new.test:8443/a?b#c'],
    ['http://example.org/', 'https://new.test:8443/'],
    ['https://example.org', 'https://new.test:8443'],
    ['HTTPS://WWW.Example.ORG:443/x', 'https://new.test:8443/x'],
    ['wss://example.org/live', 'wss://new.test:8443/live'],
    ['<a href="//example.org/x">', '<a href="//new.test:8443/x">'],
    ['url(//www.example.org/a.png)', 'url(//new.test:8443/a.png)'],
    ['<a href=http://example.org>http://example.org.</a>', '<a href=https://new.test:8443>https://new.test:8443.</a>'],
    ['请访问http://example.org吧', '请访问https://new.test:8443吧'],
    // as JSON and forms write them
    ['{"u":"http:\\/\\/example.org\\/a"}', '{"u":"https:\\/\\/new.test:8443\\/a"}'],
    ['"{\\"u\\":\\"http:\\\\\\/\\\\\\/example.org\\"}"', '"{\\"u\\":\\"https:\\\\\\/\\\\\\/new.test:8443\\"}"'],
    ['?to=http%3A%2F%2Fexample.org%2Fa', '?to=https%3A%2F%2Fnew.test%3A8443%2Fa'],
    ['?to=http%3a%2f%2fexample.org%3A8080%2fa', '?to=https%3a%2f%2fnew.test%3A8443%2fa'],
    ['http%253A%252F%252Fexample.org', 'https%253A%252F%252Fnew.test%253A8443'],
    ['{"h":"http://xn\\u002d\\u002dbcher-kva.example/x"}', '{"h":"https://new.test:8443/x"}'],
    ['http://bücher.example/x', 'https://new.test:8443/x'],
    // names
    ['example.org', 'new.test'],
    ['example.org:8080', 'new.test:8443'],
    ['„example.org“, (www.example.org) and EXAMPLE.org', '„new.test“, (new.test) and new.test'],
    ['one\\nexample.org', 'one\\nnew.test'],
    ['a%20example.org', 'a%20new.test'],
    ['{"d":".example.org"}', '{"d":".example.org"}'],
    // paths
    [`/var/lib/aegir/sites/${OLD}/files/a.png`, `/var/lib/aegir/sites/${site.id}/files/a.png`],
    [`http://example.org/sites/${OLD}/files/a`, `https://new.test:8443/sites/${site.id}/files/a`],
  ];
  test('is the site’s own', () => {
    expect(rewritten(BECOMES.map(([from]) => from))).toEqual(BECOMES.map(([, to]) => to));
  });

  const OTHERS = [
    'http://notexample.org/',
    'http://example.org.uk/',
    'http://shop.example.org/',
    'http://example.organic',
    'http://my-example.org',
    'http://example.org-x.test',
    'http://example.org:9200/solr',
    'example.org:9200',
    'öexample.org',
    'ann@example.org',
    'mailto:ann@www.example.org',
    'ann%40example.org',
    'https://facebook.test/example.org',
    'ftp://example.org/',
    'https://new.test:8443/',
    `${OLD}0`,
  ];
  test('other things stay', () => expect(rewritten(OTHERS)).toEqual(OTHERS));

  test('nothing changes the second time, also when the new name holds the old one', () => {
    const texts = BECOMES.map(([from]) => from);
    for (const to of ['https://new.test:8443', 'https://staging.example.org', 'http://example.org.test:8080']) {
      const once = rewritten(texts, { to });
      expect(once).not.toEqual(texts);
      expect(rewritten(once as string[], { to })).toEqual(once);
    }
  });

  test('of the site’s own names nothing is taken', () => {
    expect(rewriteRules({ ...site, aliases: ['example.org'] }, FROM)?.hosts).toEqual([
      'www.example.org',
      'xn--bcher-kva.example',
      'bücher.example',
    ]);
    expect(rewriteRules(site, { url: site.url, names: [], siteId: '' })).toBeUndefined();
    expect(rewriteRules(site, { url: site.url, names: ['new.test'], siteId: site.id })).toBeUndefined();
  });
});

describe('what PHP serialised', () => {
  /** Expressions with an URL in them. */
  const VALUES = [
    `serialize(array('a' => 'URL/x', 'n' => null, 'i' => -5, 'd' => 0.1, 'e' => 1.0E+25, 'inf' => INF, 't' => true, 'ü' => 'ü URL ü'))`,
    `serialize('URL')`,
    `serialize(array('URL' => array(array('deep' => 'URL'))))`,
    // Serialised in serialised, thrice; and JSON in it.
    `serialize(array(serialize(array(serialize('URL/ä'), 'x')), json_encode(array('u' => 'URL', 'v' => array('URL'))), json_encode('URL', JSON_UNESCAPED_SLASHES)))`,
    // White space around, as WordPress lets it pass.
    `" " . serialize(array('URL')) . "\\n"`,
    // Strings that look like its syntax.
    `serialize(array('";}s:3:"', 'URL";i:0;}', 'a:1:{'))`,
    // References.
    `(function () { $a = array('u' => 'URL'); $a['r'] = &$a['u']; $o = new stdClass; $o->x = 'URL'; return serialize(array($a, $o, $o)); })()`,
    // Objects of classes that nobody has: never made.
    `str_replace('stdClass', 'Gone_Now', serialize((object) array('url' => 'URL', 'in' => (object) array('URL'))))`,
    `(function () { eval('class P { private $a = "URL"; protected $b = array("URL"); public $c; }'); return serialize(new P); })()`,
    `serialize(new ArrayObject(array('URL')))`,
    `'C:4:"Gone":' . strlen(serialize(array('URL'))) . ':{' . serialize(array('URL')) . '}'`,
    `serialize(array(new DateTimeZone('UTC'), 'URL'))`,
  ];
  test('is as if PHP had serialised it with the new URL', () => {
    const [before, after] = ['http://example.org', 'https://new.test:8443'].map((url) =>
      VALUES.map((expression) => php(expression.replaceAll('URL', url))),
    );
    expect(rewritten(before ?? [])).toEqual(after);
    for (const [nth, value] of (before ?? []).entries()) expect(value).not.toBe(after?.[nth]);
  });

  test('an object that would do harm when it is made is only text', () => {
    const value = `O:4:"Evil":1:{s:3:"cmd";s:18:"http://example.org";}`;
    expect(rewritten([value])).toEqual([`O:4:"Evil":1:{s:3:"cmd";s:21:"https://new.test:8443";}`]);
  });

  test('strings written with escapes, and enumerations', () => {
    expect(rewritten(['a:2:{i:0;E:6:"Suit:X";i:1;S:18:"http:\\2f\\2Fexample.org";}'])).toEqual([
      'a:2:{i:0;E:6:"Suit:X";i:1;s:21:"https://new.test:8443";}',
    ]);
  });

  test('no entry is lost where two keys would become one', () => {
    const value = php(
      `serialize(array('http://example.org' => 1, 'https://example.org' => 2, 'https://new.test:8443/a' => 3, 'http://example.org/a' => 4))`,
    );
    const [out = ''] = rewritten([value]);
    expect(
      php(
        `json_encode(unserialize(base64_decode('${Buffer.from(out ?? '').toString('base64')}')), JSON_UNESCAPED_SLASHES)`,
      ),
    ).toBe('{"https://new.test:8443":1,"https://example.org":2,"https://new.test:8443/a":3,"http://example.org/a":4}');
  });

  test('what is broken, or only its class can read, is left alone and told', () => {
    expect(
      rewritten([
        's:3:"http://example.org";',
        'a:2:{i:0;s:18:"http://example.org";}',
        'a:1:{i:0;s:18:"http://example.org";}tail',
        'C:4:"Gone":20:{x!http://example.org}',
        `${'a:1:{i:0;'.repeat(1000)}s:18:"http://example.org";${'}'.repeat(1000)}`,
        // Nothing of it would change.
        's:3:"http://notexample.org";',
      ]),
    ).toEqual([null, null, null, null, null, 's:3:"http://notexample.org";']);
  });

  test('a large value takes time and memory by its size', () => {
    const entry = (url: string) => `s:${url.length + 4}:"${url}/abc";`;
    const many = (url: string) =>
      `a:100000:{${Array.from({ length: 100_000 }, (_, index) => `i:${index};${entry(url)}`).join('')}}`;
    const [out] = rewritten([many('http://example.org')]);
    expect(out === many('https://new.test:8443')).toBe(true);
  });
});

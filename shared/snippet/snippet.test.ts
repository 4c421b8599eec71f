// What stays in its block, and what does not, as the web servers themselves would read it.
import { describe, expect, it } from 'vitest';
import { checkedSnippet, MOST_SNIPPET_BYTES } from './snippet.ts';

const good: readonly (readonly [engine: string, text: string])[] = [
  ['nginx', 'add_header X-A b;'],
  ['nginx', 'location = /a { return 302 /b; }\n'],
  ['nginx', 'set $x "} server {";\n# } {\nadd_header X \'a;b\';'],
  ['nginx', 'location ~ "^/a{2,3}$" {\n  if ($arg_x) { return 404; }\n}'],
  ['nginx', `set $y "\${host}" ; set $z a\${host}b;`],
  ['nginx', 'rewrite ^/a}b /c last;'],
  ['nginx', 'return 200 a\\;b;'],
  ['apache', 'Header set X-A "</VirtualHost>"'],
  ['apache', '  <If "true">\n\tHeader set X y\n  </IF>\n# </VirtualHost>\n'],
  ['apache', '<IfModule mod_rewrite.c>\nRewriteRule "^/a$" "/b" [R,L]\n</IfModule>'],
  ['apache', 'RewriteRule "a|b" "-" [F]'],
];

const bad: readonly (readonly [engine: string, text: string, says: RegExp])[] = [
  ['nginx', '}', /line 1: "}" without "\{"/],
  ['nginx', 'add_header a b;\n} server {', /line 2: "}" without/],
  ['nginx', 'location / {\n', /line 1: "\{" without "}"/],
  ['nginx', 'location / {\n a b; }\n}', /line 3/],
  ['nginx', 'a b', /line 1: the directive has no ";"/],
  ['nginx', 'a b\n# ;\n', /line 1: the directive has no ";"/],
  ['nginx', 'a b }', /no ";"/],
  ['nginx', 'location / { a b }', /before "}" has no ";"/],
  ['nginx', 'a "b;\n', /line 1: a string that begins with " has no end/],
  ['nginx', 'a "b\\";\n', /has no end/],
  ['nginx', 'a "b"c;', /"c" right behind a string/],
  ['nginx', '; a b;', /";" without a directive/],
  ['nginx', '{ }', /"\{" without a directive/],
  // A word, for nginx: the block is still open.
  ['nginx', 'location / { a\u00a0} b;', /line 1: "\{" without/],
  ['nginx', 'set $x a#;}\n}', /line 1: "}" without/],
  ['nginx', 'include /etc/passwd;', /"include" is not for snippets/],
  ['nginx', 'location / { "access_log" /x; }', /"access_log" is not/],
  ['nginx', "'incl\\ude' x;\n}", /line 2/],
  ['nginx', 'content_by_lua_block { } }', /is not for snippets/],
  ['nginx', 'listen 81;', /"listen" is not/],
  ['nginx', 'a b;\0', /line 1 has a control character/],
  ['apache', '</VirtualHost>\n<VirtualHost *:80>', /line 1: "VirtualHost" is not/],
  ['apache', '<If "true">', /line 1: <If> has no end/],
  ['apache', '<If "true">\n</Location>', /line 2: <If> has no end yet/],
  ['apache', '</Location>', /line 1: <\/Location> ends nothing/],
  ['apache', '"</VirtualHost>"', /line 1: it begins with no directive/],
  ['apache', '< VirtualHost *>', /line 1: it begins with no directive/],
  ['apache', '<If "true"', /line 1: it begins with no directive/],
  ['apache', `\${X}`, /line 1: it begins with no directive/],
  ['apache', '# comment \\\n</Virtualhost>', /line 1: a backslash at its end/],
  ['apache', 'Header set a \\ \nb', /line 1: a backslash at its end/],
  ['apache', 'CustomLog "|/bin/id" x', /"CustomLog" is not/],
  ['apache', 'Anything "|/bin/id"', /a program behind "\|"/],
  ['apache', 'ServerALIAS x', /"ServerALIAS" is not/],
  ['apache', 'SSLCertificateFile x', /is not for snippets/],
  ['apache', 'Header set X y\r</VirtualHost>', /line 1 has a control character/],
  ['haproxy', 'x', /haproxy takes none/],
  ['toString', 'x', /toString takes none/],
  ['nginx', ' \n\n', /there is nothing in it/],
  ['nginx', `#${'x'.repeat(5000)}`, /line 1 has more than 4000/],
  ['nginx', '#\n'.repeat(MOST_SNIPPET_BYTES), /larger than 16 KiB/],
];

describe('a snippet', () => {
  it.each(good)('for %s: %j is kept', (engine, text) => {
    const kept = checkedSnippet(engine, text);
    expect(kept).toBe(`${text.trimEnd()}\n`);
    expect(checkedSnippet(engine, kept)).toBe(kept);
  });

  it.each(bad)('for %s: %j is refused', (engine, text, says) => {
    expect(() => checkedSnippet(engine, text)).toThrow(says);
    expect(() => checkedSnippet(engine, text)).toThrow(expect.objectContaining({ code: 'invalid_argument' }));
  });

  it('has one kind of line ends', () => {
    expect(checkedSnippet('nginx', 'a b;\r\nc d;\r\n\r\n')).toBe('a b;\nc d;\n');
  });
});

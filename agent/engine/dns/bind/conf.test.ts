import { describe, expect, it } from 'vitest';
import { includesOf, keyFile, parseConf, parseZone, secretIn, withInclude, withNewZones, zoneClause } from './conf.ts';

const DEBIAN = `options {
\tdirectory "/var/cache/bind";
\tlisten-on-v6  {
\t\t"any";
\t};
\tdnssec-validation auto;
};
zone "localhost" {
\ttype master;
\tfile "/etc/bind/db.local";
};
`;
const SECRET = 'c2VjcmV0c2VjcmV0c2VjcmV0c2VjcmV0c2VjcmV0MTI=';

describe('parseConf', () => {
  it("reads Debian's", () => {
    expect(parseConf(DEBIAN)).toEqual({
      allowNewZones: undefined,
      directory: '/var/cache/bind',
      hasKey: false,
      hasViews: false,
      allowTransfer: undefined,
      address: '127.0.0.1',
      port: 53,
    });
  });

  it('reads what people add', () => {
    const conf = `key "aegir-key" {
\talgorithm "hmac-sha256";
\tsecret "????????";
};
options {
\tdirectory "/srv/named";
\tlisten-on port 5353 {
\t\t192.0.2.1/32;
\t\t192.0.2.2/32;
\t};
\tallow-new-zones yes;
\tallow-transfer {
\t\t"secondaries";
\t\t192.0.2.7/32;
\t};
};
view "inside" {
};
`;
    expect(parseConf(conf)).toEqual({
      allowNewZones: 'yes',
      directory: '/srv/named',
      hasKey: true,
      hasViews: true,
      allowTransfer: '"secondaries"; 192.0.2.7/32;',
      address: '192.0.2.1',
      port: 5353,
    });
  });
});

describe('edits of files of people', () => {
  it('puts the line into the options that are none of a comment or a text', () => {
    const conf =
      '// options {\n/* options { */ # options {\ninclude "/etc/options {";\noptions\n{\n  recursion no;\n};\n';
    const edited = withNewZones(conf) ?? '';
    expect(edited.split('\n').slice(3, 7).join('|')).toMatch(
      /^options\|\{\|\tallow-new-zones yes;.*\| {2}recursion no;$/,
    );
    expect(edited.replace(/\n\tallow-new-zones[^\n]*/, '')).toBe(conf);
    expect(withNewZones('// options { }\nzone "x" { };\n')).toBeUndefined();
  });

  it('follows includes, not those in comments', () => {
    expect(includesOf('include "/a"; # include "/b";\n  include "/c";\n// include "/d";\n')).toEqual(['/a', '/c']);
    expect(includesOf(withInclude('zone "x" { };', '/etc/bind/aegir.key'))).toEqual(['/etc/bind/aegir.key']);
  });

  it('finds its key again', () => {
    expect(secretIn(keyFile(SECRET))).toBe(SECRET);
    expect(secretIn('key "aegir-key" { algorithm hmac-sha256; secret "short"; };')).toBeUndefined();
    expect(secretIn('')).toBeUndefined();
  });
});

it('finds in a zone what it asked for', () => {
  const conf = { ...parseConf(DEBIAN), allowTransfer: '192.0.2.7/32;' };
  const clause = zoneClause('/var/lib/bind/aegir/example.org.zone', 'none', conf);
  expect(clause).toContain('allow-transfer { key "aegir-key"; 192.0.2.7/32; };');
  expect(parseZone(`zone "example.org" ${clause}`)).toEqual({
    file: '/var/lib/bind/aegir/example.org.zone',
    policy: 'none',
    updates: true,
    transfers: true,
  });
  expect(parseZone('zone "a" { type primary; file "/x"; };')).toEqual({
    file: '/x',
    policy: undefined,
    updates: false,
    transfers: false,
  });
});

// The manifest, and the words in which plans and errors name what is wrong.
import { describe, expect, it } from 'vitest';
import { sha256Hex } from '../../../../shared/digest.ts';
import { brokenBefore, refused, siteFile, siteOfFile } from './complaint.ts';
import { type Manifest, makeBase, parseManifest, renderManifest, withEntry } from './manifest.ts';

const FILE = 'aegir-site-0000000000000001.conf';

describe('the manifest', () => {
  it('is read as it was written, sorted, among other lines', () => {
    const manifest = withEntry(withEntry(new Map(), 'aegir-site-0000000000000002.conf', 'b'), FILE, 'a', 'tls');
    const text = `# Base\n${renderManifest(manifest, '#')}server { }\n# loads something-else.conf x\n`;
    expect([...parseManifest(text)]).toEqual([
      [FILE, { digest: sha256Hex('a'), mark: 'tls' }],
      ['aegir-site-0000000000000002.conf', { digest: sha256Hex('b'), mark: '' }],
    ]);
    expect(parseManifest(text.replaceAll('#', ';'))).toEqual(manifest);
    expect(parseManifest(undefined).size).toBe(0);
  });

  it('loses a file that is removed and changes with one that changes', () => {
    const one = withEntry(new Map(), FILE, 'a');
    expect(withEntry(one, FILE, undefined).size).toBe(0);
    expect(withEntry(one, FILE, 'b')).not.toEqual(one);
    expect(one.get(FILE)).toEqual({ digest: sha256Hex('a'), mark: '' });
  });

  it('makes a base file whose generation follows from all of it', () => {
    const render = (port: number) => (manifest: Manifest, generation: string) =>
      `${renderManifest(manifest, '#')}listen ${port}; return "${generation}";`;
    const manifest = withEntry(new Map(), FILE, 'a');
    const base = makeBase(manifest, render(80));
    expect(base.text).toContain(`return "${base.generation}"`);
    expect(makeBase(parseManifest(base.text), render(80))).toEqual(base);
    expect(makeBase(manifest, render(81)).generation).not.toBe(base.generation);
    expect(makeBase(new Map(), render(80)).generation).not.toBe(base.generation);
  });
});

describe('an error', () => {
  const dir = '/etc/nginx/conf.d';
  const at = (file: string | undefined) => ({ message: 'unknown directive "foo"', file, line: file ? 3 : undefined });
  const todo = (file: string | undefined) => brokenBefore('serve a.org', 'nginx', dir, at(file)).message;

  it('says whose file it is and what to do', () => {
    expect(todo(`${dir}/x.conf`)).toBe(
      'cannot serve a.org: the configuration of nginx on this server is broken already: unknown directive "foo" in ' +
        "/etc/nginx/conf.d/x.conf:3; that file is not Aegir's: correct or remove line 3 of /etc/nginx/conf.d/x.conf",
    );
    expect(todo('/etc/nginx/nginx.conf')).toContain("not Aegir's");
    expect(todo(`/elsewhere/${FILE}`)).toContain("not Aegir's");
    expect(todo(`${dir}/${FILE}`)).toContain('of site-0000000000000001, changed by hand');
    expect(todo(`${dir}/aegir-00-http.conf`)).toContain('verify this server');
    expect(todo(undefined)).toContain('mend what it names');
  });

  it('takes the blame for what Aegir wrote itself', () => {
    const own = refused('serve a.org', 'nginx', dir, at(`${dir}/${FILE}`));
    expect(own).toMatchObject({ code: 'internal' });
    expect(own.message).toContain('the old one was put back; this is a fault of Aegir');
  });
});

it('names of site files are those of sites only', () => {
  expect(siteOfFile(siteFile('site-0000000000000001'))).toBe('site-0000000000000001');
  for (const name of ['aegir-00-http.conf', 'default', 'aegir-site-1.conf', `${FILE}.bak`, `x${FILE}`]) {
    expect(siteOfFile(name)).toBeUndefined();
  }
});

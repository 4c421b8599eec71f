// The program as a process: the bash script in a real bash, exit code and streams, a reader that goes away.
import { execFileSync, spawn } from 'node:child_process';
import { once } from 'node:events';
import { chmodSync, existsSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';

const MAIN = join(import.meta.dirname, 'main.ts');
let dir: string;
beforeAll(() => {
  dir = mkdtempSync(join(tmpdir(), 'aegir-completion-'));
  writeFileSync(join(dir, 'aegir'), `#!/bin/sh\nexec '${process.execPath}' '${MAIN}' "$@"\n`);
  chmodSync(join(dir, 'aegir'), 0o755);
});
afterAll(() => rmSync(dir, { recursive: true }));

test('bash completes nouns, verbs and options', () => {
  const script = `
    eval "$(aegir completion bash)"
    complete -p aegir
    try() { COMP_WORDS=(aegir "$@"); COMP_CWORD=$(($# )); COMPREPLY=(); _aegir; echo "\${COMPREPLY[*]}"; }
    try si
    try site ins
    try site install x --pla
    try -o j
    try site --help ver
    try nothing-of-the-kind-
  `;
  const PATH = `${dir}:${process.env['PATH']}`;
  const env = { PATH, HOME: dir };
  const text = execFileSync('bash', ['--norc', '-c', script], {
    env,
    encoding: 'utf8',
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  // An unknown word completes to nothing; a word like --help is a word, and prints no help.
  const lines = ['complete -F _aegir aegir', 'site', 'install', '--plan --platform', 'json', 'verify', ''];
  expect(text).toBe(`${lines.join('\n')}\n`);
});

test('bash takes words for words, whatever they are', () => {
  const evil = join(dir, 'evil');
  // As if a server that nobody has accepted named its services so, and our own filter let them through.
  writeFileSync(
    evil,
    `#!/bin/sh\nprintf '%s\\n' 'web1/x:$(touch ${dir}/run)' 'web1/x:\`touch ${dir}/run\`' 'web2/a b'\n`,
  );
  chmodSync(evil, 0o755);
  const script = `
    eval "$(aegir completion bash)"
    aegir() { ${evil}; }
    try() { COMP_WORDS=(aegir "$@"); COMP_CWORD=$#; COMPREPLY=(); _aegir; printf '%s\n' "\${COMPREPLY[@]}"; }
    try service enable web1
    try service enable web2
  `;
  const env = { PATH: `${dir}:${process.env['PATH']}`, HOME: dir };
  const text = execFileSync('bash', ['--norc', '-c', script], { env, encoding: 'utf8' });
  expect(text.trim().split('\n')).toEqual([
    `web1/x:\\$\\(touch\\ ${dir}/run\\)`,
    `web1/x:\\\`touch\\ ${dir}/run\\\``,
    'web2/a\\ b',
  ]);
  expect(existsSync(join(dir, 'run'))).toBe(false);
});

test('the program itself: exit code, streams, and a reader that goes away', async () => {
  const child = spawn(join(dir, 'aegir'), ['site', 'list'], { env: { HOME: dir }, stdio: ['ignore', 'pipe', 'pipe'] });
  let [out, err] = ['', ''];
  child.stdout.on('data', (part) => (out += part));
  child.stderr.on('data', (part) => (err += part));
  const [code] = await once(child, 'close');
  expect({ code, out }).toEqual({ code: 1, out: '' });
  expect(err).toMatch(/^aegir: cannot choose a master: no context is known/);

  const early = spawn(join(dir, 'aegir'), ['api', 'list'], { env: { HOME: dir }, stdio: ['ignore', 'pipe', 'pipe'] });
  early.stdout.destroy();
  let complaint = '';
  early.stderr.on('data', (part) => (complaint += part));
  await once(early, 'close');
  expect(complaint).toBe('');
});

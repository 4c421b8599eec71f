// A visitor of a site, on the machine of the lab: curl with cookies, who resolves every name to one web server.
import { execFile } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { promisify } from 'node:util';
import type { LabHost } from '../../deploy/lab/lab.ts';

export interface Page {
  readonly status: number;
  readonly body: string;
}

export interface Visitor {
  /** Follows redirects. */
  get(url: string): Promise<Page>;
  /** Sends a form; each field as curl's --form takes it. */
  submit(url: string, fields: readonly string[]): Promise<Page>;
  /** Forgets the cookies. */
  close(): void;
}

const curl = promisify(execFile);

export function createVisitor(web: LabHost): Visitor {
  const dir = mkdtempSync('/tmp/aegir-visitor-');
  const jar = join(dir, 'jar');
  const ask = async (url: string, more: readonly string[]): Promise<Page> => {
    const resolve = `${new URL(url).hostname}:80:${web.address}`;
    const { stdout } = await curl(
      'curl',
      [
        ...['--silent', '--show-error', '--location', '--max-time', '30', '--cookie', jar, '--cookie-jar', jar],
        ...['--resolve', resolve, '--write-out', '\n%{http_code}', ...more, '--', url],
      ],
      { maxBuffer: 10_000_000 },
    );
    const cut = stdout.lastIndexOf('\n');
    return { status: Number(stdout.slice(cut + 1)), body: stdout.slice(0, cut) };
  };
  return {
    get: (url) => ask(url, []),
    submit: (url, fields) =>
      ask(
        url,
        fields.flatMap((field) => ['--form', field]),
      ),
    close: () => rmSync(dir, { recursive: true, force: true }),
  };
}

/** One page, by a visitor who was never there. */
export async function visit(web: LabHost, url: string): Promise<Page> {
  const visitor = createVisitor(web);
  try {
    return await visitor.get(url);
  } finally {
    visitor.close();
  }
}

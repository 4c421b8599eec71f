// Pebble, the ACME authority for tests, with a DNS of its own: every name leads to one address, unless told otherwise.
import { type ChildProcess, execFileSync, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { request } from 'node:http';
import { get } from 'node:https';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { freePorts } from './free-ports.ts';

export interface Pebble {
  /** URL of its directory, and the CA file to trust it by. */
  readonly directory: string;
  readonly caFile: string;
  /** Its root for the certificates it gives, PEM. */
  root(): Promise<string>;
  /** From now on the name leads there. */
  point(name: string, address: string): Promise<void>;
  close(): Promise<void>;
}

const HOST = '127.0.0.1';

/** httpPort: where it asks for answers to challenges. nameServer: which it asks instead of a DNS of its own, HOST:PORT. */
export async function startPebble(address: string, httpPort: number, nameServer?: string): Promise<Pebble> {
  const dir = mkdtempSync(join(tmpdir(), 'aegir-pebble-'));
  const [acme = 0, management = 0, dns = 0, control = 0] = await freePorts(4, HOST);
  const [key, certificate] = [join(dir, 'key.pem'), join(dir, 'cert.pem')];
  execFileSync(
    'openssl',
    [
      ...['req', '-x509', '-newkey', 'rsa:2048', '-nodes', '-days', '2', '-subj', '/CN=pebble'],
      ...['-addext', `subjectAltName=IP:${HOST},DNS:localhost`, '-keyout', key, '-out', certificate],
    ],
    { stdio: 'pipe' },
  );
  const config = {
    pebble: {
      ...{ listenAddress: `${HOST}:${acme}`, managementListenAddress: `${HOST}:${management}` },
      ...{ certificate, privateKey: key, httpPort, tlsPort: 1, ocspResponderURL: '' },
    },
  };
  writeFileSync(join(dir, 'config.json'), JSON.stringify(config));
  const children: ChildProcess[] = [];
  const said: string[] = [];
  const start = (program: string, args: readonly string[], env: NodeJS.ProcessEnv = {}) => {
    const child = spawn(program, args, { env: { ...process.env, ...env }, stdio: ['ignore', 'pipe', 'pipe'] });
    for (const stream of [child.stdout, child.stderr]) stream.on('data', (text) => said.push(String(text)));
    children.push(child);
  };
  start('pebble-challtestsrv', [
    ...['-defaultIPv4', address, '-defaultIPv6', '', '-dns01', `${HOST}:${dns}`, '-http01', '', '-https01', ''],
    ...['-tlsalpn01', '', '-management', `${HOST}:${control}`],
  ]);
  start('pebble', ['-config', join(dir, 'config.json'), '-dnsserver', nameServer ?? `${HOST}:${dns}`], {
    ...{ PEBBLE_VA_NOSLEEP: '1', PEBBLE_AUTHZREUSE: '0' },
  });
  const close = async () => {
    for (const child of children) {
      if (child.exitCode !== null || child.signalCode !== null) continue;
      child.kill('SIGKILL');
      await once(child, 'exit');
    }
    rmSync(dir, { recursive: true });
  };
  const ca = readFileSync(certificate, 'utf8');
  const fetchText = (url: string) =>
    new Promise<string>((resolve, reject) => {
      get(url, { ca, agent: false }, async (answer) => {
        let text = '';
        for await (const part of answer) text += String(part);
        resolve(text);
      }).on('error', reject);
    });
  const directory = `https://${HOST}:${acme}/dir`;
  for (const deadline = Date.now() + 20_000; ; ) {
    try {
      await fetchText(directory);
      break;
    } catch (error) {
      if (Date.now() > deadline || children.some((child) => child.exitCode !== null)) {
        await close();
        throw new Error(`pebble does not answer: ${String(error)}\n${said.join('')}`);
      }
      await new Promise((resolve) => setTimeout(resolve, 50));
    }
  }
  return {
    directory,
    caFile: certificate,
    root: () => fetchText(`https://${HOST}:${management}/roots/0`),
    point: (name, to) =>
      new Promise((resolve, reject) => {
        const asked = request({ host: HOST, port: control, path: '/add-a', method: 'POST' }, (answer) => {
          answer.resume();
          answer.on('end', () => (answer.statusCode === 200 ? resolve() : reject(new Error(`${answer.statusCode}`))));
        });
        asked.on('error', reject);
        asked.end(JSON.stringify({ host: `${name}.`, addresses: [to] }));
      }),
    close,
  };
}

// A renewed certificate is shown by the API's and the web listener; calls and downloads that are open go on.
import { X509Certificate } from 'node:crypto';
import { once } from 'node:events';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import type { IncomingMessage } from 'node:http';
import { get } from 'node:https';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { connect } from 'node:tls';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { type MasterApi, openMasterApi } from '../../test/master-api.ts';
import { createDownloadListener, type DownloadListener } from './download.ts';

const ARCHIVE_BYTES = 20_000_000; // more than sockets buffer
let master: MasterApi;
let web: DownloadListener;
let dir: string;
let age = 0;

beforeAll(async () => {
  dir = mkdtempSync(join(tmpdir(), 'aegir-renewal-'));
  writeFileSync(join(dir, 'a.tar.gz'), Buffer.alloc(ARCHIVE_BYTES, 7));
  master = await openMasterApi(() => age);
  const archives = { 'a.tar.gz': join(dir, 'a.tar.gz') };
  web = await createDownloadListener({ host: '127.0.0.1', port: 0, serving: master.serving, archives });
});
afterAll(async () => {
  await web.close();
  await master.close();
  rmSync(dir, { recursive: true });
});

async function shown(port: number): Promise<string> {
  const socket = connect({ host: '127.0.0.1', port, rejectUnauthorized: false, ALPNProtocols: ['h2', 'http/1.1'] });
  await once(socket, 'secureConnect');
  const { serialNumber } = new X509Certificate(socket.getPeerCertificate().raw);
  socket.destroy();
  return serialNumber;
}

test('both listeners show it to newcomers, and a download under way ends whole', async () => {
  const ports = [master.listener.port, web.port];
  const before = await Promise.all(ports.map(shown));
  expect(new Set(before).size).toBe(1);

  const asked = get({ port: web.port, path: '/agent/a.tar.gz', ca: master.caPem, host: '127.0.0.1', agent: false });
  const [response] = (await once(asked, 'response')) as [IncomingMessage];
  age = 61 * 24 * 3_600_000;
  expect(await master.serving.refresh()).toBe(true);
  const fresh = new X509Certificate(master.serving.current().chainPem).serialNumber;
  expect(fresh).not.toBe(before[0]);
  expect(await Promise.all(ports.map(shown))).toEqual([fresh, fresh]);

  let bytes = 0;
  for await (const part of response) bytes += (part as Buffer).length;
  expect(bytes).toBe(ARCHIVE_BYTES);
});

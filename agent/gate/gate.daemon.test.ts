// The bounds of a gate behind real web servers: number and time of what is held, an agent that dies in the middle, large
// bodies in little memory, sockets of pages, requests that were under way when the site was held.
import { createHash } from 'node:crypto';
import { once } from 'node:events';
import { readFile } from 'node:fs/promises';
import { createServer, type IncomingMessage, request, type Server } from 'node:http';
import { connect, type Socket } from 'node:net';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { Stage } from '../engine/conformance/http-stage.ts';
import { rows } from '../engine/conformance/rows.ts';
import type { HttpSiteSpec } from '../engine/engine.ts';
import { listProcesses } from '../host/proc.ts';
import { siteLayout } from '../host/site-layout.ts';
import {
  type AgentProcess,
  NAME,
  openServer,
  postsAt,
  SITE,
  specOf,
  startAgent,
  type WebServer,
} from './testing-scene.ts';

const MIB = 1024 * 1024;
const TOKEN = 'token-of-the-authority-for-one-example-org';
const ANSWER = `${TOKEN}.${'k'.repeat(43)}`;

describe.each<WebServer>(['nginx', 'apache'])('a gate behind %s', (server) => {
  let stage: Stage;
  let agent: AgentProcess;
  let other: Other;
  const apply = (change: Partial<HttpSiteSpec> = {}) => stage.apply(specOf(stage, change));
  const hold = async (more: Parameters<AgentProcess['gate']>[1] = {}) => {
    await agent.gate('closed');
    await apply();
    await agent.gate('hold', more);
    await apply({ state: 'held' });
  };
  const get = (path = '/x') => stage.get(NAME, path);
  const waiting = (count: number) =>
    expect.poll(async () => (await agent.gate('hold')).waiting, { timeout: 20_000 }).toBe(count);

  beforeAll(async () => {
    stage = await openServer(server, '127.0.31.24');
    agent = await startAgent(stage);
    other = await openOther();
    await apply();
  });
  afterAll(async () => {
    await agent?.kill();
    other?.server.close();
    await stage?.close();
  });

  it('is wanted before a site is held', async () => {
    await expect(apply({ state: 'held' })).rejects.toThrow(/it has no gate on this server/);
    expect((await get()).status).toBe(200);
  });

  it('is opened by the user of the web server alone', async () => {
    await hold();
    const { stat } = await import('node:fs/promises');
    const { mode, uid } = await stat(siteLayout(stage.host.paths, SITE).gate);
    expect(mode & 0o777).toBe(0o600);
    expect(uid).toBe((await stage.host.users.lookup(stage.daemon.user))?.uid);
  });

  it('lets a request end that was under way, before the site counts as held', async () => {
    await agent.gate('closed');
    await apply();
    const slow = get('/admin/post.php?id=slow&sleep=1500');
    await expect.poll(() => postsAt(stage)).toContainEqual(expect.stringMatching(/^slow /));
    await agent.gate('hold');
    await apply({ state: 'held' });
    expect(await postsAt(stage)).toContain('ended');
    expect((await slow).status).toBe(200);
    expect(await stage.plan(specOf(stage, { state: 'held' }))).toEqual([]);
  });

  it('answers the authority itself, and hands the rest over as it came', async () => {
    await hold();
    await apply({ state: 'held', challenges: { [TOKEN]: ANSWER } });
    expect((await get(`/.well-known/acme-challenge/${TOKEN}`)).body).toBe(ANSWER);
    const asked = stage.get(NAME, '/a%2Fb//c?d=%20e&f', {
      headers: { 'x-forwarded-for': '6.6.6.6', forwarded: 'for=6.6.6.6', authorization: 'Basic eDp5', 'x-own': 'kept' },
    });
    await waiting(1);
    await agent.gate('forward', { upstream: other.at });
    const told = JSON.parse((await asked).body);
    expect(told.url).toBe('/a%2Fb//c?d=%20e&f');
    expect(told.headers).toMatchObject({ host: NAME, 'x-own': 'kept', authorization: 'Basic eDp5' });
    expect(told.headers['x-forwarded-for']).toMatch(/^127\./);
    expect(told.headers['x-forwarded-proto']).toBe('http');
    expect(told.headers.forwarded).toBeUndefined();
  });

  it('refuses more than it may hold, and all once it has held long enough', async () => {
    await hold({ maxHeld: 5, maxHoldMillis: 6_000 });
    const held = Array.from({ length: 5 }, () => get());
    await waiting(5).catch(() => {});
    await agent.gate('hold', { maxHeld: 5, maxHoldMillis: 6_000 });
    const more = await get();
    expect([more.status, more.headers['retry-after']]).toEqual([503, '10']);
    expect(more.body).toContain('Back in a moment');
    const answers = await Promise.all(held);
    expect(answers.map(({ status }) => status)).toEqual([503, 503, 503, 503, 503]);
    expect((await get()).status).toBe(503);
    const facts = await agent.gate('hold', { maxHeld: 5, maxHoldMillis: 6_000 });
    expect(facts).toMatchObject({ phase: 'expired', held: 5, waiting: 0, forwarded: 0 });
    expect(facts.longestMillis).toBeLessThan(8_000);
  });

  it('comes back in its phase with an agent that was killed, and the time goes on', async () => {
    await hold({ maxHoldMillis: 30_000 });
    const held = get('/held');
    await waiting(1);
    await agent.kill();
    const meanwhile = get('/meanwhile');
    agent = await startAgent(stage);
    if (server === 'nginx') {
      // Asked again by nginx, both of them: they have waited through it.
      await waiting(2);
      await agent.gate('forward', { upstream: other.at });
      expect([(await held).status, (await meanwhile).status]).toEqual([200, 200]);
    } else {
      expect((await held).status).toBeGreaterThanOrEqual(502);
      await meanwhile;
      const again = get();
      await waiting(1);
      await agent.gate('forward', { upstream: other.at });
      expect((await again).status).toBe(200);
    }
    await agent.kill();
    agent = await startAgent(stage);
    expect((await get()).status).toBe(200);
  });

  it('waits for a server that does not listen yet, and refuses when none ever does', async () => {
    await hold();
    const { port } = other.at;
    other.server.close();
    await once(other.server, 'close');
    const asked = [get(), stage.get(NAME, '/form', { method: 'POST', body: 'x=1' })];
    await waiting(2);
    await agent.gate('forward', { upstream: other.at });
    await new Promise((resolve) => setTimeout(resolve, 1000));
    other = await openOther(port);
    expect((await Promise.all(asked)).map(({ status }) => status)).toEqual([200, 200]);
    const nobody = { address: '127.0.31.24', port: 9, tlsPort: 0 };
    await agent.gate('forward', { upstream: nobody });
    expect((await get()).status).toBe(503);
  });

  for (const [some, options] of rows([192, 1024], 1))
    it.each(some)('streams a body of %i MiB through, held in between, in little memory', options, async (mebibytes) => {
      await hold();
      const size = mebibytes * MIB;
      const before = await agent.rss();
      const workers = await memoryOf(stage);
      const sent = request({
        ...{ host: stage.daemon.addresses[0], port: stage.daemon.port, path: '/upload', method: 'POST', agent: false },
        headers: { host: NAME, 'content-length': size },
      });
      const answered = once(sent, 'response') as Promise<[IncomingMessage]>;
      let pushed = 0;
      const block = Buffer.alloc(MIB, 'aegir');
      const digest = createHash('sha256');
      const push = (async () => {
        for (; pushed < size; pushed += MIB) {
          digest.update(block);
          if (!sent.write(block)) await once(sent, 'drain');
        }
        sent.end();
      })();
      await waiting(1);
      await new Promise((resolve) => setTimeout(resolve, 1500));
      const stuckAt = pushed;
      const held = (await agent.rss()) - before;
      await agent.gate('forward', { upstream: other.at });
      let most = 0;
      const watch = setInterval(async () => {
        most = Math.max(most, (await agent.rss()) - before);
      }, 200);
      await push;
      const [answer] = await answered;
      clearInterval(watch);
      const chunks: Buffer[] = [];
      for await (const chunk of answer) chunks.push(chunk as Buffer);
      const told = JSON.parse(Buffer.concat(chunks).toString());
      const grown = (await memoryOf(stage)) - workers;
      expect([told.bytes, told.digest]).toEqual([size, digest.digest('hex')]);
      expect(stuckAt).toBeLessThan(16 * MIB);
      expect(held).toBeLessThan(32 * MIB);
      expect(most).toBeLessThan(128 * MIB);
      expect(grown).toBeLessThan(64 * MIB);
      const mib = (bytes: number) => `${(bytes / MIB).toFixed(1)} MiB`;
      console.info(
        `${server}: ${mebibytes} MiB; held at ${mib(stuckAt)} (agent +${mib(held)}), at most +${mib(most)}, workers +${mib(grown)}`,
      );
    });

  it('ties a socket of a page to the other server, once that is there', async () => {
    await hold();
    const socket = connect({ host: stage.daemon.addresses[0], port: stage.daemon.port } as never) as Socket;
    socket.write(
      `GET /socket HTTP/1.1\r\nHost: ${NAME}\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\n` +
        'Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n',
    );
    let said = '';
    socket.on('data', (chunk: Buffer) => {
      said += chunk.toString('latin1');
    });
    await waiting(1);
    await agent.gate('forward', { upstream: other.at });
    await expect.poll(() => said).toContain('101 Switching Protocols');
    for (const word of ['one', 'two']) {
      socket.write(word);
      await expect.poll(() => said).toContain(`echo ${word}`);
    }
    socket.destroy();
  });

  it('is left by the way it was entered: the site is served here again', async () => {
    await hold();
    await apply();
    await agent.gate('closed');
    expect(JSON.parse((await get('/any')).body)).toMatchObject({ ran: 'code/index.php' });
    expect(await stage.plan(specOf(stage))).toEqual([]);
    await apply({ state: 'moved', upstream: other.at });
    expect(JSON.parse((await get('/moved')).body).url).toBe('/moved');
    await apply();
    expect(JSON.parse((await get('/any')).body)).toMatchObject({ ran: 'code/index.php' });
  });
});

interface Other {
  readonly server: Server;
  readonly at: { readonly address: string; readonly port: number; readonly tlsPort: number };
}

/** The new server: tells what it was asked, and echoes on sockets. */
async function openOther(port = 0): Promise<Other> {
  const address = '127.0.31.25';
  const server = createServer(async (request, response) => {
    const digest = createHash('sha256');
    let bytes = 0;
    for await (const chunk of request) {
      bytes += (chunk as Buffer).length;
      digest.update(chunk as Buffer);
    }
    const { url, headers } = request;
    response.end(JSON.stringify({ url, headers, bytes, digest: digest.digest('hex') }));
  });
  server.on('upgrade', (_request, socket) => {
    socket.write('HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n');
    socket.on('data', (chunk: Buffer) => socket.write(`echo ${chunk.toString()}`));
    socket.on('error', () => {});
  });
  server.listen(port, address);
  await once(server, 'listening');
  const at = server.address();
  return { server, at: { address, port: typeof at === 'object' && at !== null ? at.port : 0, tlsPort: 0 } };
}

/** Resident bytes of the web server's processes. */
async function memoryOf({ daemon }: Stage): Promise<number> {
  let sum = 0;
  for (const { pid } of await listProcesses()) {
    const line = await readFile(`/proc/${pid}/cmdline`, 'utf8').catch(() => '');
    const ours =
      line.includes(daemon.configArguments[1] ?? '-') || (await isChildOf(pid, daemon.configArguments[1] ?? '-'));
    if (!ours) continue;
    const [, resident = '0'] = (await readFile(`/proc/${pid}/statm`, 'utf8').catch(() => '')).split(' ');
    sum += Number(resident) * 4096;
  }
  return sum;
}

/** nginx gives its workers titles of their own. */
async function isChildOf(pid: number, marker: string): Promise<boolean> {
  const stat = await readFile(`/proc/${pid}/stat`, 'utf8').catch(() => '');
  const parent = /\) \S (\d+)/.exec(stat)?.[1];
  return (await readFile(`/proc/${parent}/cmdline`, 'utf8').catch(() => '')).includes(marker);
}

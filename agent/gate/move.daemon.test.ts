// A site moves from one server to another under load, by real web servers of each kind: no request fails, every form
// arrives once, and the visitor is known to the new server all the way.
import { join } from 'node:path';
import { afterEach, expect, it } from 'vitest';
import { siteLayout } from '../host/site-layout.ts';
import { issued } from './testing-certificates.ts';
import {
  type AgentProcess,
  NAME,
  openServer,
  postsAt,
  SITE,
  specOf,
  startAgent,
  upstreamAt,
  type WebServer,
} from './testing-scene.ts';
import { startVisitors } from './testing-visitors.ts';

const FRONTS = ['127.0.0.1', '127.0.31.21', '127.0.31.22'];
const open: { close(): Promise<void> }[] = [];
const agents: AgentProcess[] = [];
afterEach(async () => {
  for (const agent of agents.splice(0)) await agent.kill();
  for (const stage of open.splice(0)) await stage.close();
});

const moves: readonly (readonly [from: WebServer, to: WebServer, tls: boolean])[] = [
  ['nginx', 'nginx', true],
  ['nginx', 'apache', false],
  ['apache', 'nginx', false],
  ['apache', 'apache', true],
];

it.each(moves)('from %s to %s under load, HTTPS %s', async (from, to, tls) => {
  const source = await openServer(from, '127.0.31.21');
  open.push(source);
  const target = await openServer(to, '127.0.31.22');
  open.push(target);
  const agent = await startAgent(source);
  agents.push(agent);
  const part = tls ? { tls: { ...issued([NAME]), redirect: true, hstsSeconds: 31_536_000 } } : {};
  await source.apply(specOf(source, part));
  await target.apply(specOf(target, { ...part, fronts: FRONTS }));

  const visitors = startVisitors(source.daemon, tls);
  await passes(1000);
  await agent.gate('hold', { maxHeld: 1000 });
  const heldAt = performance.now();
  await source.apply(specOf(source, { ...part, state: 'held' }));
  const applying = performance.now() - heldAt;
  // Nothing runs there from here on.
  const before = await postsAt(source);
  expect(await source.host.files.exists(siteLayout(source.host.paths, SITE).socket)).toBe(false);
  await passes(from === 'apache' ? 700 : 2000);
  let handed = await agent.gate('forward', { upstream: upstreamAt(target, tls) });
  await passes(1500);
  await source.apply(specOf(source, { ...part, state: 'moved', upstream: upstreamAt(target, tls) }));
  await passes(1000);
  // Old workers lead to the gate what had come to them before: it goes when nobody comes by it any more.
  for (let came = -1; came !== handed.forwarded; ) {
    came = handed.forwarded;
    await passes(1000);
    handed = await agent.gate('forward', { upstream: upstreamAt(target, tls) });
  }
  const closed = await agent.gate('closed');
  await passes(1000);
  const seen = await visitors.stop();
  const after = await postsAt(source);

  expect(after).toEqual(before);
  const bad = seen
    .filter(({ outcome }) => outcome !== 'good')
    .map((one) => `${Math.round(one.at)}+${Math.round(one.millis)} ms ${one.what}: ${one.outcome}`);
  const said =
    bad.length === 0 ? '' : await source.host.files.read(join(siteLayout(source.host.paths, SITE).logs, 'error.log'));
  expect(bad, `${JSON.stringify(closed)} ${said}`).toEqual([]);
  expect(seen.length).toBeGreaterThan(250);
  const ran = [...after, ...(await postsAt(target))].sort();
  expect(ran).toEqual([...visitors.posted].map(([id, digest]) => `${id} ${digest}`).sort());
  expect(closed.failed + closed.refused).toBe(0);
  expect(closed.held).toBeGreaterThan(20);
  const longest = Math.max(...seen.map(({ millis }) => millis));
  console.info(
    `${from} → ${to}${tls ? ' TLS' : ''}: ${seen.length} requests, 0 failed; apply(held) ${Math.round(applying)} ms; ` +
      `${closed.held} held longest request ${Math.round(longest)} ms`,
  );
});

/** The time is the load's. */
function passes(ms: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, ms));
}

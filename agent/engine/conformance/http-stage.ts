// The stage on which an http engine is tested: a real host in a private directory, the engine, and short ways to do with
// a site what an agent does.
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { ServiceRef } from '../../../shared/gen/aegir/v1/spec.ts';
import type { Daemon, DaemonName, Host } from '../../host/host.ts';
import type { ActionContext, Checking, Engine, HttpSiteSpec, Preparing } from '../engine.ts';
import { runChanges } from '../engine.ts';
import { type Answer, type Ask, ask } from './http-ask.ts';
import { createFixture, type Fixture } from './http-fixture.ts';
import { contextOf, summaries } from './interruption.ts';

export type HttpEngine = Engine<'http'> & Preparing & Checking;

/** What a stage needs of an engine. */
export interface StageSubject {
  /** As in the service's engine. */
  readonly name: string;
  readonly daemon: DaemonName;
  createEngine(): HttpEngine;
  /** A host with that daemon and PHP-FPM, of its own below dir. */
  startHost(dir: string): Promise<Host>;
}

/** What an engine brings to be tested. */
export interface HttpSubject extends StageSubject {
  /** A virtual host as an operator would write it; a file of the include directory. */
  foreignSite(daemon: Daemon, name: string): string;
  /** In the daemon's words. */
  readonly snippets: {
    /** /from-the-snippet leads (302) to https://example.org/to; answers have the header X-Of-All: yes. */
    readonly works: string;
    /** The daemon's own test refuses this line with these words (a pattern). */
    readonly fails: { readonly text: string; readonly line: number; readonly says: string };
    /** Balanced for whoever does not read as the daemon does. */
    readonly breakingOut: readonly string[];
  };
}

export interface Stage {
  readonly host: Host;
  readonly engine: HttpEngine;
  readonly service: ServiceRef;
  readonly daemon: Daemon;
  readonly fpm: Daemon;
  readonly fixture: Fixture;
  readonly ctx: ActionContext;
  /** Plans and runs; answers the summaries. */
  apply(spec: HttpSiteSpec): Promise<readonly string[]>;
  plan(spec: HttpSiteSpec): Promise<readonly string[]>;
  remove(siteId: string, spec?: HttpSiteSpec): Promise<readonly string[]>;
  get(host: string, path: string, more?: Partial<Ask>): Promise<Answer>;
  close(): Promise<void>;
}

export async function openStage(subject: StageSubject): Promise<Stage> {
  const dir = await mkdtemp(join(tmpdir(), 'aegir-http-'));
  const host = await subject.startHost(dir);
  const engine = subject.createEngine();
  const service = { id: 'svc-0000000000000001', serverId: 'srv-0000000000000001', type: 'http', engine: subject.name };
  const ref: ServiceRef = { ...service, version: '', instance: '', settings: {}, secrets: {} };
  const daemon = await daemonOf(host, subject.daemon);
  const [version = ''] = await host.phpVersions();
  const fpm = await daemonOf(host, `php-fpm@${version}`);
  const ctx = contextOf(host);
  return {
    host,
    engine,
    service: ref,
    daemon,
    fpm,
    fixture: await createFixture(host, dir),
    ctx,
    apply: async (spec) => runChanges(await engine.plan(ref, spec, ctx), ctx),
    plan: async (spec) => summaries(await engine.plan(ref, spec, ctx)),
    remove: async (siteId, spec) => runChanges(await engine.remove(ref, siteId, spec, ctx), ctx),
    get: (name, path, more) =>
      ask({
        address: daemon.addresses[0] ?? '127.0.0.1',
        port: (more?.tls === true ? daemon.tlsPort : daemon.port) ?? 0,
        host: name,
        path,
        ...more,
      }),
    async close() {
      await host.close();
      await rm(dir, { recursive: true, force: true });
    },
  };
}

async function daemonOf(host: Host, name: DaemonName): Promise<Daemon> {
  const daemon = await host.daemon(name);
  if (daemon === undefined) throw new Error(`the host under test has no ${name}`);
  return daemon;
}

// The files of a front as one set: read, changed by one cluster or site at a time, tested, loaded, and put back when that
// fails. What is wanted of each cluster and site stands in a file of its own; what HAProxy reads is made from all of them.
import { join } from 'node:path';
import { AegirError } from '../../../../shared/error.ts';
import { askHaproxy } from '../../../host/haproxy-socket.ts';
import type { Daemon, FileOptions, Host } from '../../../host/host.ts';
import { lastLines } from '../../../host/log-mark.ts';
import { waitUntil } from '../../../host/wait.ts';
import type { ActionContext } from '../../engine.ts';
import { parseCluster } from './front-cluster.ts';
import { parseSite } from './front-site.ts';
import { type Front, type FrontPlace, renderFront, STATE_FILE } from './render.ts';
import { loadedGeneration } from './status.ts';

const READABLE: FileOptions = { mode: 0o644, owner: 'root', group: 'root' };
/** Read by HAProxy before it gives up its privileges. */
const PRIVATE: FileOptions = { mode: 0o600, owner: 'root', group: 'root' };
const IN_FORCE_MS = 20_000;

/** undefined content removes. */
export interface FrontEdit {
  readonly of: 'clusters' | 'sites';
  readonly id: string;
  readonly content: string | undefined;
  /** Certificate and key that the content names. */
  readonly pem?: { readonly name: string; readonly content: string };
}

export interface FrontSet {
  /** True when the files are as the edits want them and HAProxy has loaded them. */
  isThere(edits: readonly FrontEdit[]): Promise<boolean>;
  apply(edits: readonly FrontEdit[], doing: string, ctx: ActionContext): Promise<void>;
  /** Writes what HAProxy shall read, before it reads it for the first time. */
  stage(): Promise<void>;
  read(): Promise<Front>;
  /** Why HAProxy would not load what is on disk; undefined when it would. */
  test(): Promise<string | undefined>;
  inForce(): Promise<boolean>;
}

export function placeOf({ includeDir, socket, addresses, port, tlsPort }: Daemon): FrontPlace {
  return { dir: includeDir, socket, addresses, port, tlsPort };
}

export function createFrontSet(host: Host, daemon: Daemon): FrontSet {
  const { files } = host;
  const place = placeOf(daemon);
  const path = (...parts: readonly string[]) => join(place.dir, ...parts.filter((part) => part !== ''));
  const fileOf = ({ of, id }: Pick<FrontEdit, 'of' | 'id'>) => path(of, `${id}.json`);

  const readAll = async (of: FrontEdit['of']): Promise<readonly { readonly id: string; readonly text: string }[]> => {
    const names = (await files.list(path(of))).filter((name) => name.endsWith('.json'));
    return Promise.all(
      names.map(async (name) => ({
        id: name.slice(0, -'.json'.length),
        text: (await files.read(path(of, name))) ?? '',
      })),
    );
  };
  /** What somebody broke by hand is left out until its verify mends it. */
  const read = async (edits: readonly FrontEdit[] = []): Promise<Front> => {
    const wanted = async (of: FrontEdit['of']) => {
      const kept = (await readAll(of)).filter(({ id }) => !edits.some((edit) => edit.of === of && edit.id === id));
      const changed = edits.flatMap(({ of: kind, id, content }) =>
        kind === of && content !== undefined ? [{ id, text: content }] : [],
      );
      return [...kept, ...changed].sort((a, b) => (a.id < b.id ? -1 : 1));
    };
    const clusters = (await wanted('clusters')).flatMap(({ id, text }) => {
      const cluster = parseCluster(text);
      return cluster?.clusterId === id ? [cluster] : [];
    });
    const sites = (await wanted('sites')).flatMap(({ id, text }) => {
      const site = parseSite(text);
      return site?.siteId === id ? [site] : [];
    });
    return { clusters, sites };
  };
  const pemNames = ({ sites }: Front) => new Set(sites.map(({ pem }) => pem).filter((name) => name !== ''));

  const test = async (): Promise<string | undefined> => {
    const { code, stdout, stderr } = await host.run({ argv: [daemon.program, ...daemon.configArguments, '-c'] });
    if (code === 0) return undefined;
    const lines = `${stderr}\n${stdout}`.split('\n').filter((line) => /\[(?:ALERT|WARNING)\]/.test(line));
    return lastLines(lines.join('\n'), 5) || `haproxy -c ended with ${code}`;
  };

  const load = async (generation: string, doing: string): Promise<void> => {
    // Of heads that were found down, the next worker shall not think well. None to ask: nothing is known.
    const states = await askHaproxy(daemon.socket, 'show servers state').catch(() => undefined);
    if (states !== undefined) await files.write(path(STATE_FILE), states, READABLE);
    await daemon.reload();
    // Whoever loads it later by hand would load what was.
    await files.remove(path(STATE_FILE));
    if (await waitUntil(async () => (await loadedGeneration(daemon)) === generation, IN_FORCE_MS, 50)) return;
    throw new AegirError(
      'failed_precondition',
      `cannot ${doing}: HAProxy still works with its old configuration ${IN_FORCE_MS / 1000} s after the reload, and the ` +
        `old files were put back; look into its log, and whether it reads ${place.dir}`,
    );
  };

  const directories = async (): Promise<void> => {
    for (const name of ['', 'clusters', 'sites']) await files.directory(path(name), { ...READABLE, mode: 0o755 });
    await files.directory(path('tls'), { ...PRIVATE, mode: 0o700 });
  };

  return {
    async stage() {
      await directories();
      for (const [name, content] of Object.entries(renderFront(await read(), place).files)) {
        await files.write(path(name), content, READABLE);
      }
    },
    read: () => read(),
    test,
    async inForce() {
      return (await loadedGeneration(daemon)) === renderFront(await read(), place).generation;
    },

    async isThere(edits) {
      for (const edit of edits) {
        if ((await files.read(fileOf(edit))) !== edit.content) return false;
        const { pem } = edit;
        if (pem !== undefined && !(await files.matches(path('tls', pem.name), pem.content, PRIVATE))) return false;
      }
      const front = await read(edits);
      const kept = pemNames(front);
      if ((await files.list(path('tls'))).some((name) => !kept.has(name))) return false;
      const rendered = renderFront(front, place);
      for (const [name, content] of Object.entries(rendered.files)) {
        if ((await files.read(path(name))) !== content) return false;
      }
      return (await loadedGeneration(daemon)) === rendered.generation;
    },

    async apply(edits, doing, ctx) {
      const front = await read(edits);
      const rendered = renderFront(front, place);
      const texts = new Map<string, string | undefined>(edits.map((edit) => [fileOf(edit), edit.content]));
      for (const [name, content] of Object.entries(rendered.files)) texts.set(path(name), content);
      const old = new Map<string, string | undefined>();
      for (const file of texts.keys()) old.set(file, await files.read(file));
      const put = async (all: ReadonlyMap<string, string | undefined>): Promise<void> => {
        for (const [file, content] of all) {
          if (content === undefined) await files.remove(file);
          else if ((await files.read(file)) !== content) await files.write(file, content, READABLE);
        }
      };
      await directories();
      for (const { pem } of edits)
        if (pem !== undefined) await files.write(path('tls', pem.name), pem.content, PRIVATE);
      ctx.failpoint('agent.http.file-written');
      try {
        await put(texts);
        ctx.failpoint('agent.http.base-written');
        const complaint = await test();
        if (complaint !== undefined) {
          throw new AegirError(
            'failed_precondition',
            `cannot ${doing}: HAProxy does not take the configuration, and the old one was put back; it says:\n${complaint}`,
          );
        }
        await load(rendered.generation, doing);
      } catch (thrown) {
        await put(old);
        const before = await loadedGeneration(daemon);
        // Only where something of the new one was loaded is there something to load again.
        if (before !== renderFront(await read(), place).generation) {
          await daemon.reload().catch((again: unknown) => {
            ctx.log('error', `HAProxy does not load its old configuration either: ${String(again)}`);
          });
        }
        throw thrown;
      }
      ctx.failpoint('agent.http.loaded');
      const kept = pemNames(front);
      for (const name of await files.list(path('tls'))) if (!kept.has(name)) await files.remove(path('tls', name));
    },
  };
}

// probe-share: one server leaves a token on a file service that several servers see, each other one looks for it.
import { AegirError, asUntouched, toAegirError } from '../../shared/error.ts';
import type { Finding } from '../../shared/finding.ts';
import { type ActionContext, canStore, type ObjectStore } from '../engine/engine.ts';
import type { RequestOf } from '../validate.ts';
import { type ActionHandler, engineFor, type Tools } from './action.ts';

const SUBJECT = 'share';

export function createProbeShare(): ActionHandler<'probeShare'> {
  return {
    kind: 'probeShare',
    label: ({ verb }) => `probe-share-${verb}`,
    async run(request, ctx, tools) {
      const name = `aegir-share/${request.token}`;
      switch (request.verb) {
        case 'leave':
          await using(request, ctx, tools, async (store) => {
            await store.put(name, [Buffer.from(request.token)]);
          });
          return { changes: [`leave token ${request.token}`] };
        case 'forget':
          await using(request, ctx, tools, (store) => store.remove(name));
          return { changes: [`take token ${request.token} back`] };
        case 'look':
          return { changes: [], findings: [await look(request, name, ctx, tools)] };
      }
    },
  };
}

async function look(
  request: RequestOf['probeShare'],
  name: string,
  ctx: ActionContext,
  tools: Tools,
): Promise<Finding> {
  try {
    return await using(request, ctx, tools, async (store): Promise<Finding> => {
      if ((await store.stat(name)) === undefined || (await read(store, name)) !== request.token) {
        const text = 'it sees another tree: what was written by the other server is not there';
        return { subject: SUBJECT, level: 'error', text };
      }
      const own = `${name}-seen`;
      await store.put(own, [Buffer.from(request.token)]);
      await store.remove(own);
      return { subject: SUBJECT, level: 'ok', text: 'it sees the same tree, and writes there' };
    });
  } catch (thrown) {
    ctx.signal.throwIfAborted();
    return { subject: SUBJECT, level: 'error', text: toAegirError(thrown, 'look for the token').message };
  }
}

async function using<T>(
  { service }: RequestOf['probeShare'],
  ctx: ActionContext,
  tools: Tools,
  act: (store: ObjectStore) => Promise<T>,
): Promise<T> {
  const engine = engineFor(tools, service);
  if (!canStore(engine)) {
    throw new AegirError('failed_precondition', `cannot probe service ${service.id}: ${engine.name} keeps no objects`);
  }
  const store = await engine.openStore(service, ctx).catch((thrown: unknown) => {
    throw asUntouched(toAegirError(thrown, `open service ${service.id}`));
  });
  try {
    const answer = await act(store);
    await store.flush();
    return answer;
  } finally {
    await store.close();
  }
}

async function read(store: ObjectStore, name: string): Promise<string> {
  let text = '';
  for await (const piece of store.get(name)) {
    text += Buffer.from(piece).toString();
    if (text.length > 100) break;
  }
  return text;
}

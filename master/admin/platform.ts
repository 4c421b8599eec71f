// Platforms: add, verify, remove, list.
import { AegirError } from '../../shared/error.ts';
import type {
  AddPlatformRequest,
  ChangeResponse,
  GetPlatformRequest,
  ListPlatformsRequest,
  ListPlatformsResponse,
  Platform,
  RemovePlatformRequest,
  VerifyPlatformAdminRequest,
} from '../../shared/gen/aegir/v1/admin.ts';
import { absolutePath, plainName } from '../../shared/name.ts';
import { APPS, type AppName, isAppName } from '../../shared/vocabulary.ts';
import { chooseService, requireEmptyPlatform } from '../graph/rules.ts';
import { planAtOnce } from '../plan/at-once.ts';
import { planVerifyPlatform } from '../plan/change-server.ts';
import type { PlatformRecord } from '../store/model.ts';
import { requireIdle } from './at-work.ts';
import { change } from './change.ts';
import type { AdminDeps, Caller } from './deps.ts';
import { loadGraph } from './load.ts';
import { pageOf } from './page.ts';
import { platformView } from './view.ts';

export async function listPlatforms(deps: AdminDeps, request: ListPlatformsRequest): Promise<ListPlatformsResponse> {
  const graph = await loadGraph(deps.store);
  const page = pageOf(graph.platforms, (platform) => platform.name, request);
  return { platforms: page.items.map((platform) => platformView(graph, platform)), nextPageToken: page.nextPageToken };
}

export async function getPlatform(deps: AdminDeps, request: GetPlatformRequest): Promise<Platform> {
  const graph = await loadGraph(deps.store);
  return platformView(graph, graph.platform(request.platform));
}

export async function addPlatform(
  deps: AdminDeps,
  caller: Caller,
  request: AddPlatformRequest,
): Promise<ChangeResponse> {
  const name = plainName(request.name, 'platform name');
  const root = absolutePath(request.root, 'platform path');
  const app = appName(request.app);
  const id = deps.newId('plat');
  const { options, ...asked } = request;
  return change(deps, caller, options, { method: 'platform.add', ...asked }, (graph) => {
    const service = chooseService(graph, request.service, 'http', `platform ${name}`);
    const taken = graph.platforms.find((other) => other.name === name);
    if (taken !== undefined) {
      throw new AegirError(
        'already_exists',
        `cannot add platform ${name}: there is one of that name (${taken.root}); choose another name`,
      );
    }
    const same = graph.platforms.find((other) => other.serviceId === service.id && other.root === root);
    if (same !== undefined) {
      throw new AegirError('already_exists', `cannot add platform ${name}: ${root} is platform ${same.name} already`);
    }
    const platform: PlatformRecord = { id, name, app, serviceId: service.id, root, state: 'new', facts: null };
    return {
      plan: planVerifyPlatform(graph, platform, true),
      draft: { platform },
      save: (tx) => tx.platforms.insert(platform),
    };
  });
}

export async function verifyPlatform(
  deps: AdminDeps,
  caller: Caller,
  request: VerifyPlatformAdminRequest,
): Promise<ChangeResponse> {
  return change(deps, caller, request.options, { method: 'platform.verify', platform: request.platform }, (graph) => ({
    plan: planVerifyPlatform(graph, graph.platform(request.platform), false),
  }));
}

export async function removePlatform(deps: AdminDeps, request: RemovePlatformRequest): Promise<Platform> {
  return deps.store.transaction(async (tx) => {
    const graph = await loadGraph(tx);
    const platform = graph.platform(request.platform);
    requireEmptyPlatform(graph, platform);
    const plans = request.options?.planOnly === true;
    if (!request.confirm && !plans) {
      throw new AegirError(
        'failed_precondition',
        `cannot remove platform ${platform.name}: it was not confirmed; say --yes`,
      );
    }
    await requireIdle(tx, `remove platform ${platform.name}`, { ids: [platform.id] });
    const view = platformView(graph, platform);
    if (plans) {
      const undo = `aegir platform add ${platform.name} ${platform.root} --service ${view.service}`;
      const step = { kind: 'platform.forget', summary: `Forget platform ${platform.name}; its files stay`, undo };
      return { ...view, plan: planAtOnce('platform.remove', `Remove platform ${platform.name}`, [step]) };
    }
    await tx.platforms.delete(platform.id);
    return view;
  });
}

function appName(text: string): AppName | '' {
  if (text === '' || isAppName(text)) return text;
  throw new AegirError(
    'invalid_argument',
    `cannot use ${JSON.stringify(text)} as app: there are ${Object.keys(APPS).join(', ')}`,
  );
}

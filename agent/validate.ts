// The agent's edge: an action as it came from the wire becomes one whose every field is bounded and formed, or is
// refused with invalid_argument. Nothing behind this file checks the wire again.
import { isIP } from 'node:net';
import type { Action, ApplyRequest, RemoveRequest } from '../shared/gen/aegir/v1/agent.ts';
import type { Grant } from '../shared/gen/aegir/v1/mesh.ts';
import type {
  ClusterSpec,
  DbSpec,
  DnsSpec,
  FileSpec,
  PhpSpec,
  PlatformSpec,
  ServiceRef,
  ZoneSpec,
} from '../shared/gen/aegir/v1/spec.ts';
import { isAuthUser, passwordFault } from '../shared/http-auth.ts';
import { hostName } from '../shared/name.ts';
import type { Tree } from './backup/entry.ts';
import { onlyReads } from './only-reads.ts';
import {
  type BackupRequests,
  checkApplyChanges,
  checkDropSnapshot,
  checkLookFiles,
  checkRestoreDatabase,
  checkRestoreFiles,
  checkTakeSnapshot,
  validTrees,
} from './validate-backup.ts';
import { checkGate, checkTraffic, type GateRequest } from './validate-gate.ts';
import { checkCloseReplica, checkFollow, checkOpenReplica, type ReplicaRequests } from './validate-move.ts';
import { checkRewriteSite, checkUpgradeSite, type RewriteRequests } from './validate-rewrite.ts';
import {
  checkAccount,
  checkClusterSpec,
  checkDbSpec,
  checkDnsSpec,
  checkFileSpec,
  checkHttpSpec,
  checkId,
  checkPhp,
  checkPlatform,
  checkService,
  checkSite,
  checkZoneName,
  checkZoneSpec,
  present,
  refuse,
  type ValidHttpSpec,
  type ValidSite,
} from './validate-spec.ts';
import {
  checkCheckBackup,
  checkExportBackup,
  checkFindBackups,
  checkOfferPart,
  checkPruneStore,
  checkStoreBackup,
  type StoreRequests,
} from './validate-store.ts';

const MAX_GRANT = 4096;
const SIGNATURE = 64; // Ed25519

export type ValidSpec =
  | { readonly type: 'http'; readonly value: ValidHttpSpec }
  | { readonly type: 'db'; readonly value: DbSpec }
  | { readonly type: 'dns'; readonly value: DnsSpec }
  | { readonly type: 'file'; readonly value: FileSpec };

const MAX_SERVICES = 500;
const MAX_ZONES = 1000;
/** No scanner: a few ports of services that the graph knows. */
const MAX_TARGETS = 16;

/** Requests by kind; the kind is the name of the proto's field and of the file in action/. */
export interface RequestOf extends BackupRequests, StoreRequests, RewriteRequests, ReplicaRequests {
  apply: { readonly service: ServiceRef; readonly preview: boolean; readonly spec: ValidSpec };
  remove: {
    readonly service: ServiceRef;
    readonly siteId: string;
    readonly preview: boolean;
    readonly spec: ValidSpec | undefined;
  };
  applyZone: { readonly service: ServiceRef; readonly preview: boolean; readonly zone: ZoneSpec };
  removeZone: { readonly service: ServiceRef; readonly preview: boolean; readonly name: string };
  prepareService: { readonly service: ServiceRef; readonly preview: boolean };
  diagnose: {
    readonly masterTime: Date | undefined;
    readonly services: readonly ServiceRef[];
    readonly hostOnly: boolean;
    /** Services to look into for what is there of sites. */
    readonly search: readonly ServiceRef[] | undefined;
  };
  checkService: { readonly service: ServiceRef; readonly zones: readonly string[] };
  probePorts: { readonly targets: readonly { readonly address: string; readonly port: number }[] };
  probeShare: { readonly service: ServiceRef; readonly verb: ShareVerb; readonly token: string };
  verifyPlatform: { readonly platform: PlatformSpec };
  prepareSite: { readonly site: ValidSite; readonly preview: boolean };
  removeSite: {
    readonly site: ValidSite;
    readonly preview: boolean;
    readonly keepShared: boolean;
    readonly keepTrees: readonly Tree[];
  };
  installSite: { readonly site: ValidSite };
  loginLink: { readonly site: ValidSite; readonly account: string };
  receiveObject: { readonly grant: Grant; readonly senderName: string };
  probeSite: {
    readonly site: ValidSite;
    readonly service: ServiceRef;
    readonly path: string;
    readonly behindFront: boolean;
    readonly asksPassword: boolean;
    /** '' for nobody. */
    readonly user: string;
    readonly password: string;
  };
  runCron: { readonly site: ValidSite; readonly php: PhpSpec | undefined };
  applyCluster: { readonly service: ServiceRef; readonly preview: boolean; readonly cluster: ClusterSpec };
  removeCluster: { readonly service: ServiceRef; readonly preview: boolean };
  clusterStatus: { readonly service: ServiceRef };
  setGate: GateRequest;
  siteTraffic: { readonly siteId: string };
}
export type ShareVerb = 'leave' | 'look' | 'forget';
export type ActionKind = keyof RequestOf;
export type ValidRequest = {
  [K in ActionKind]: { readonly kind: K; readonly value: RequestOf[K] };
}[ActionKind];

export interface ValidAction {
  readonly id: string;
  readonly generation: bigint;
  readonly resource: string;
  /** ms since 1970; undefined for a question without a task, which may have none. */
  readonly expiresAt: number | undefined;
  /** Part of a task: journalled, fenced, serialised. Otherwise a question, asked once, that changes nothing. */
  readonly inTask: boolean;
  /** Visitors wait for it. */
  readonly urgent: boolean;
  readonly request: ValidRequest;
}

/** Form of action ids; checked first, since a refusal has to name the action. */
export function isActionId(text: string): boolean {
  return /^[A-Za-z0-9][A-Za-z0-9._:/#-]{0,127}$/.test(text);
}

export function validateAction(action: Action, serverId: string): ValidAction {
  if (!isActionId(action.id)) refuse('id', 'needs 1 to 128 letters, digits or ._:/#-');
  const inTask = action.taskId !== '';
  const request = validateRequest(
    action.request ?? refuse('request', 'is missing, or of a kind that this agent does not know'),
    serverId,
  );
  if (inTask) checkId('task', action.taskId, 'task_id');
  else if (!onlyReads(request)) refuse('task_id', 'is missing, and only what changes nothing may come without a task');
  if (action.generation >= 1n << 63n) refuse('generation', 'is out of range');
  if (!/^[A-Za-z0-9][A-Za-z0-9._:/-]{0,199}$/.test(action.resource) && (inTask || action.resource !== '')) {
    refuse('resource', 'needs 1 to 200 letters, digits or ._:/-');
  }
  const expiresAt = action.expiresAt?.getTime();
  if (inTask && expiresAt === undefined) refuse('expires_at', 'is missing');
  if (Number.isNaN(expiresAt)) refuse('expires_at', 'is no time');
  return {
    id: action.id,
    generation: action.generation,
    resource: action.resource,
    expiresAt,
    inTask,
    urgent: action.urgent,
    request,
  };
}

function validateRequest(request: NonNullable<Action['request']>, serverId: string): ValidRequest {
  switch (request.$case) {
    case 'apply': {
      const service = validService(request.value.service, serverId);
      const spec = validateSpec(present(request.value.spec, 'spec'), service);
      return { kind: 'apply', value: { service, preview: request.value.preview, spec } };
    }
    case 'remove': {
      const { siteId, preview } = request.value;
      const service = validService(request.value.service, serverId);
      checkId('site', siteId, 'site_id');
      const spec = request.value.spec === undefined ? undefined : validateSpec(request.value.spec, service);
      if (spec !== undefined && spec.type !== 'file' && spec.value.siteId !== siteId) {
        refuse('spec.site_id', 'is another site than site_id');
      }
      return { kind: 'remove', value: { service, siteId, preview, spec } };
    }
    case 'applyZone': {
      const service = validService(request.value.service, serverId);
      const zone = checkZoneSpec(present(request.value.zone, 'zone'));
      return { kind: 'applyZone', value: { service, preview: request.value.preview, zone } };
    }
    case 'removeZone': {
      const service = validService(request.value.service, serverId);
      const name = checkZoneName(request.value.name, 'name');
      return { kind: 'removeZone', value: { service, preview: request.value.preview, name } };
    }
    case 'applyCluster': {
      const service = validService(request.value.service, serverId);
      const cluster = checkClusterSpec(present(request.value.cluster, 'cluster'));
      return { kind: 'applyCluster', value: { service, preview: request.value.preview, cluster } };
    }
    case 'removeCluster': {
      const service = validService(request.value.service, serverId);
      return { kind: 'removeCluster', value: { service, preview: request.value.preview } };
    }
    case 'clusterStatus':
      return { kind: 'clusterStatus', value: { service: validService(request.value.service, serverId) } };
    case 'prepareService': {
      const service = validService(request.value.service, serverId);
      return { kind: 'prepareService', value: { service, preview: request.value.preview } };
    }
    case 'diagnose': {
      const { masterTime, services, hostOnly } = request.value;
      const search = request.value.search?.services;
      if (Number.isNaN(masterTime?.getTime())) refuse('master_time', 'is no time');
      if (services.length > MAX_SERVICES) refuse('services', `has more than ${MAX_SERVICES} services`);
      if ((search?.length ?? 0) > MAX_SERVICES) refuse('search.services', `has more than ${MAX_SERVICES} services`);
      for (const service of [...services, ...(search ?? [])]) checkService(service, serverId);
      return { kind: 'diagnose', value: { masterTime, services, hostOnly, search } };
    }
    case 'checkService': {
      const service = validService(request.value.service, serverId);
      const { zones } = request.value;
      if (zones.length > MAX_ZONES) refuse('zones', `has more than ${MAX_ZONES} zones`);
      return { kind: 'checkService', value: { service, zones: zones.map((zone) => checkZoneName(zone, 'zones')) } };
    }
    case 'probePorts': {
      const { targets } = request.value;
      if (targets.length > MAX_TARGETS) refuse('targets', `has more than ${MAX_TARGETS} ports`);
      for (const { address, port } of targets) {
        if (isIP(address) === 0 || address.includes('%')) refuse('targets.address', 'is no IP address');
        if (port < 1 || port > 65_535) refuse('targets.port', 'is no port');
      }
      return { kind: 'probePorts', value: { targets } };
    }
    case 'probeShare': {
      const { verb, token } = request.value;
      const service = validService(request.value.service, serverId);
      if (service.type !== 'file') refuse('service.type', 'must be file');
      if (verb !== 'leave' && verb !== 'look' && verb !== 'forget') refuse('verb', 'is none of leave, look, forget');
      if (!/^[a-z0-9]{16,64}$/.test(token)) refuse('token', 'needs 16 to 64 lower case letters and digits');
      return { kind: 'probeShare', value: { service, verb, token } };
    }
    case 'verifyPlatform': {
      const platform = checkPlatform(present(request.value.platform, 'platform'), 'platform', false);
      return { kind: 'verifyPlatform', value: { platform } };
    }
    case 'prepareSite': {
      const site = checkSite(present(request.value.site, 'site'));
      return { kind: 'prepareSite', value: { site, preview: request.value.preview } };
    }
    case 'removeSite': {
      // What only an installer reads must not stand in the way of taking a site away.
      const told = present(request.value.site, 'site');
      const site = checkSite({ ...told, title: '', locale: '', profile: '', adminName: '', adminMail: '' });
      const { preview, keepShared } = request.value;
      const keepTrees = request.value.keepTrees.length === 0 ? [] : validTrees(request.value.keepTrees);
      return { kind: 'removeSite', value: { site, preview, keepShared, keepTrees } };
    }
    case 'installSite':
      return { kind: 'installSite', value: { site: checkSite(present(request.value.site, 'site')) } };
    case 'loginLink': {
      checkAccount(request.value.account, 'account');
      const site = checkSite(present(request.value.site, 'site'));
      return { kind: 'loginLink', value: { site, account: request.value.account } };
    }
    case 'probeSite': {
      const service = validService(request.value.service, serverId);
      if (service.type !== 'http') refuse('service.type', 'must be http');
      const path = request.value.path === '' ? '/' : request.value.path;
      if (!/^\/(?!\/)[\x21-\x7e]{0,1999}$|^\/$/.test(path)) {
        refuse('path', 'must begin with one slash and have up to 2000 printable ASCII characters');
      }
      const site = checkSite(present(request.value.site, 'site'));
      const { behindFront, asksPassword, user, password } = request.value;
      if (user !== '' && !isAuthUser(user)) refuse('user', 'must be a user of HTTP authentication');
      if (user === '' ? password !== '' : passwordFault(password) !== undefined) {
        refuse('password', 'must be a password of the user, and none without a user');
      }
      return { kind: 'probeSite', value: { site, service, path, behindFront, asksPassword, user, password } };
    }
    case 'runCron': {
      const { php } = request.value;
      if (php !== undefined) checkPhp(php);
      return { kind: 'runCron', value: { site: checkSite(present(request.value.site, 'site')), php } };
    }
    case 'setGate':
      return { kind: 'setGate', value: checkGate(request.value, serverId) };
    case 'lookFiles':
      return { kind: 'lookFiles', value: checkLookFiles(request.value) };
    case 'siteTraffic':
      return { kind: 'siteTraffic', value: checkTraffic(request.value) };
    case 'receiveObject': {
      const { senderName } = request.value;
      const grant = present(request.value.grant, 'grant');
      if (grant.body.length === 0 || grant.body.length > MAX_GRANT)
        refuse('grant.body', `needs 1 to ${MAX_GRANT} bytes`);
      if (grant.signature.length !== SIGNATURE) refuse('grant.signature', `needs ${SIGNATURE} bytes`);
      // What it says is checked when it is used, with the key of the day.
      hostName(senderName, 'sender_name');
      return { kind: 'receiveObject', value: { grant, senderName } };
    }
    case 'takeSnapshot':
      return { kind: 'takeSnapshot', value: checkTakeSnapshot(request.value, serverId) };
    case 'dropSnapshot':
      return { kind: 'dropSnapshot', value: checkDropSnapshot(request.value) };
    case 'restoreFiles':
      return { kind: 'restoreFiles', value: checkRestoreFiles(request.value) };
    case 'applyChanges':
      return { kind: 'applyChanges', value: checkApplyChanges(request.value, serverId) };
    case 'restoreDatabase':
      return { kind: 'restoreDatabase', value: checkRestoreDatabase(request.value, serverId) };
    case 'storeBackup':
      return { kind: 'storeBackup', value: checkStoreBackup(request.value, serverId) };
    case 'offerPart':
      return { kind: 'offerPart', value: checkOfferPart(request.value, serverId) };
    case 'pruneStore':
      return { kind: 'pruneStore', value: checkPruneStore(request.value, serverId) };
    case 'checkBackup':
      return { kind: 'checkBackup', value: checkCheckBackup(request.value, serverId) };
    case 'findBackups':
      return { kind: 'findBackups', value: checkFindBackups(request.value, serverId) };
    case 'rewriteSite':
      return { kind: 'rewriteSite', value: checkRewriteSite(request.value) };
    case 'upgradeSite':
      return { kind: 'upgradeSite', value: checkUpgradeSite(request.value) };
    case 'openReplica':
      return { kind: 'openReplica', value: checkOpenReplica(request.value, serverId) };
    case 'follow':
      return { kind: 'follow', value: checkFollow(request.value, serverId) };
    case 'closeReplica':
      return { kind: 'closeReplica', value: checkCloseReplica(request.value, serverId) };
    case 'exportBackup':
      return { kind: 'exportBackup', value: checkExportBackup(request.value, serverId) };
    default:
      return refuse('request', 'is of a kind that this agent does not know; update the agent');
  }
}

function validService(service: ServiceRef | undefined, serverId: string): ServiceRef {
  const there = present(service, 'service');
  checkService(there, serverId);
  return there;
}

function validateSpec(spec: NonNullable<(ApplyRequest | RemoveRequest)['spec']>, service: ServiceRef): ValidSpec {
  if (spec.$case !== service.type) refuse('spec', `is for ${spec.$case}, the service is of type ${service.type}`);
  switch (spec.$case) {
    case 'http':
      return { type: 'http', value: checkHttpSpec(spec.value) };
    case 'db':
      return { type: 'db', value: checkDbSpec(spec.value) };
    case 'dns':
      return { type: 'dns', value: checkDnsSpec(spec.value) };
    case 'file':
      return { type: 'file', value: checkFileSpec(spec.value) };
  }
}

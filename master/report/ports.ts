// Which ports of a server must be reached from where, who is asked, and what the answers mean. Pure. Only ports of services
// that are enabled in the graph are ever asked for: this is no scanner.
import { type Graph, isCluster } from '../graph/graph.ts';
import type { ServerRecord, ServiceRecord } from '../store/model.ts';
import { finding, type ReportFinding } from './finding.ts';

/** One look at one port. from: a server's id, or '' for the master. */
export interface PortLook {
  readonly from: string;
  readonly service: ServiceRecord;
  readonly address: string;
  readonly port: number;
  /** Whether it must be reached from there, or better not. */
  readonly wanted: boolean;
}

export type PortAnswerWord = 'open' | 'refused' | 'silent' | 'unreachable';

const PEERS = 3;
/** What one agent is asked at a time. */
const MOST_EACH = 16;

export function portLooks(
  graph: Graph,
  server: ServerRecord,
  isConnected: (serverId: string) => boolean,
): readonly PortLook[] {
  const [address] = server.facts.addresses;
  if (address === undefined) return [];
  const others = graph.servers
    .filter(({ id, state }) => id !== server.id && state === 'accepted' && isConnected(id))
    .sort((a, b) => (a.name < b.name ? -1 : 1));
  const looks: PortLook[] = [];
  for (const service of graph.servicesOf(server.id)) {
    if (service.state !== 'enabled' || service.origin !== 'detected') continue;
    const ports = wantedPorts(graph, service);
    const users = usersOf(graph, service);
    const askers = ['', ...choose(others, users)];
    for (const port of ports) {
      for (const from of askers) {
        const wanted = service.type !== 'db' || users.has(from);
        // On a loopback everything is near, and says nothing of the world.
        if (!wanted && isLoopback(address)) continue;
        looks.push({ from, service, address, port, wanted });
      }
    }
  }
  const asked = new Map<string, number>();
  return looks.filter(({ from }) => {
    asked.set(from, (asked.get(from) ?? 0) + 1);
    return (asked.get(from) ?? 0) <= MOST_EACH;
  });
}

/** Those who use the service first, then a few others. */
function choose(others: readonly ServerRecord[], users: ReadonlySet<string>): readonly string[] {
  const ids = others.map(({ id }) => id);
  const using = ids.filter((id) => users.has(id)).slice(0, MOST_EACH);
  return [...using, ...ids.filter((id) => !users.has(id)).slice(0, PEERS)];
}

function wantedPorts(graph: Graph, service: ServiceRecord): readonly number[] {
  const [plain, secure] = service.detected.ports;
  if (plain === undefined) return [];
  if (service.type === 'http') {
    const https = graph.sitesOnService(service.id).some(({ web, certificate }) => web.https !== 'off' && certificate);
    return https && secure !== undefined ? [plain, secure] : [plain];
  }
  return service.type === 'db' || service.type === 'dns' ? [plain] : [];
}

/** Web servers whose sites have their database on it, by the network. */
function usersOf(graph: Graph, service: ServiceRecord): ReadonlySet<string> {
  if (service.type !== 'db') return new Set();
  const sites = graph.sites.filter(({ bindings }) => bindings.db === service.id);
  const webs = sites.flatMap(({ bindings }) => {
    const http = graph.service(bindings.http);
    return isCluster(http) ? graph.webServersOf(http) : [http];
  });
  return new Set(webs.map(({ serverId }) => serverId).filter((id) => id !== service.serverId));
}

function isLoopback(address: string): boolean {
  return address.startsWith('127.') || address === '::1';
}

/** answers: in the order of looks; undefined where nobody could be asked. */
export function judgePorts(
  graph: Graph,
  looks: readonly PortLook[],
  answers: readonly (PortAnswerWord | undefined)[],
): readonly ReportFinding[] {
  const findings: ReportFinding[] = [];
  const ports = new Map<string, { look: PortLook; answer: PortAnswerWord | undefined }[]>();
  for (const [at, look] of looks.entries()) {
    const key = `${look.service.id} ${look.port}`;
    ports.set(key, [...(ports.get(key) ?? []), { look, answer: answers[at] }]);
  }
  const nameOf = (from: string) => (from === '' ? 'the master' : graph.server(from).name);
  for (const asked of ports.values()) {
    const [first] = asked;
    if (first === undefined) continue;
    const { service, address, port } = first.look;
    const subject = `${graph.serviceName(service)} port ${port}`;
    const told = asked.filter(({ answer }) => answer !== undefined);
    const shut = told.filter(({ look, answer }) => look.wanted && answer !== 'open');
    const open = told.filter(({ look, answer }) => !look.wanted && answer === 'open');
    const reached = told.filter(({ look, answer }) => look.wanted && answer === 'open');
    const silent = asked.filter(({ answer }) => answer === undefined);
    const list = (of: typeof asked) => of.map(({ look }) => nameOf(look.from)).join(', ');
    if (shut.length > 0) {
      const how = [...new Set(shut.map(({ answer }) => answer))].join(', ');
      const text = `${address}:${port} is not reached from ${list(shut)} (${how})${reached.length === 0 ? '' : `; it is from ${list(reached)}`}`;
      const needed = service.type === 'db' || reached.length === 0;
      const advice = shut.some(({ answer }) => answer === 'refused')
        ? 'have the daemon listen on that address, or mend the firewall'
        : 'let it through the firewalls between them';
      findings.push(finding('port', needed ? 'error' : 'warning', 'port.closed', subject, text, { advice }));
    }
    if (open.length > 0) {
      const text = `${address}:${port} is open to ${list(open)}, which do not use it`;
      const advice = 'let only the web servers that use it through the firewall';
      findings.push(finding('port', 'warning', 'port.open', subject, text, { advice }));
    }
    if (silent.length > 0) {
      const text = `not known whether ${list(silent)} reach it: they were not connected or do not know how to look`;
      findings.push(finding('port', 'info', 'port.unknown', subject, text));
    }
    if (shut.length === 0 && open.length === 0 && told.length > 0) {
      const text = reached.length === 0 ? `closed to ${list(told)}, as it should be` : `reached from ${list(reached)}`;
      findings.push(finding('port', 'ok', 'port.reached', subject, `${address}:${port} ${text}`));
    }
  }
  return findings;
}

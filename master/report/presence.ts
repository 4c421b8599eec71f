// What the graph says of a server in comparison with what its agent finds now, and with what the last report saw. Pure.
import type { Graph } from '../graph/graph.ts';
import type { ServerRecord } from '../store/model.ts';
import { finding, type ReportFinding, type Seen } from './finding.ts';

export function seenOf(graph: Graph, server: ServerRecord): Seen {
  const services = graph.servicesOf(server.id).filter(({ state }) => state !== 'missing');
  return {
    addresses: [...server.facts.addresses],
    versions: Object.fromEntries(services.map(({ id, detected }) => [id, detected.version])),
  };
}

/** before: of the last report; undefined for none. */
export function judgePresence(graph: Graph, server: ServerRecord, before: Seen | undefined): readonly ReportFinding[] {
  const findings: ReportFinding[] = [];
  for (const service of graph.servicesOf(server.id)) {
    if (service.type === '') continue;
    const name = graph.serviceName(service);
    if (service.state === 'missing' && service.stateBefore === 'enabled') {
      const bound = graph.sitesServedBy(service).length;
      const text = `it is enabled, and was not found on the server${bound === 0 ? '' : `; ${bound} sites bind to it`}`;
      const advice = `install it again, or take it out of use: aegir service disable ${name}`;
      findings.push(finding('graph', 'error', 'service.vanished', name, text, { advice }));
    } else if (service.state === 'detected' && service.detected.manageable && service.type !== 'file') {
      const advice = `to use it: aegir service enable ${name}`;
      findings.push(finding('graph', 'info', 'service.new', name, 'it was found, and is not enabled', { advice }));
    } else if (service.state === 'enabled' && service.origin === 'detected' && !service.detected.running) {
      const text = 'it is enabled, and its daemon does not run';
      findings.push(finding('graph', 'error', 'service.stopped', name, text, { advice: 'start it, and see its log' }));
    }
    const was = before?.versions[service.id];
    if (was !== undefined && service.state === 'enabled' && was !== service.detected.version) {
      const text = `its version was ${was || 'not known'} in the last report, and is ${service.detected.version || 'not known'}`;
      findings.push(finding('graph', 'info', 'service.version', name, text));
    }
  }
  const now = server.facts.addresses;
  if (before !== undefined && [...before.addresses].sort().join() !== [...now].sort().join()) {
    const text = `they were ${before.addresses.join(', ') || 'none'} in the last report, and are ${now.join(', ') || 'none'}`;
    const advice = 'change DNS records and firewalls that you keep yourself';
    findings.push(finding('graph', 'warning', 'server.addresses', 'addresses', text, { advice }));
  }
  return findings;
}

// How old certificates are: the agent's own, and those of the sites that the server serves. Pure.
import type { Graph } from '../graph/graph.ts';
import type { ServerRecord } from '../store/model.ts';
import { finding, type ReportFinding } from './finding.ts';

const HOUR_MS = 3_600_000;
/** Agents' certificates live a day and are renewed after two thirds of it. */
const AGENT_LATE_MS = 6 * HOUR_MS;

export function judgeCertificates(graph: Graph, server: ServerRecord, now: number): readonly ReportFinding[] {
  const sites = new Set(
    graph
      .servicesOf(server.id)
      .filter(({ type, state }) => type === 'http' && state === 'enabled')
      .flatMap((service) => graph.sitesServedBy(service)),
  );
  return [agentCertificate(server, now), ...[...sites].flatMap((site) => siteCertificate(site, now))];
}

function agentCertificate({ certificateExpiresAt }: ServerRecord, now: number): ReportFinding {
  const [group, code, subject] = ['agent', 'agent.certificate', "the agent's certificate"] as const;
  const left = certificateExpiresAt - now;
  const advice = 'see the log of aegir-agent there: it renews its certificate after two thirds of a day';
  if (left <= 0) return finding(group, 'error', code, subject, `expired ${age(-left)} ago`, { advice });
  if (left < AGENT_LATE_MS) {
    return finding(group, 'warning', code, subject, `expires in ${age(left)}, and was not renewed`, { advice });
  }
  return finding(group, 'ok', code, subject, `good for ${age(left)}, and renewed before`);
}

function siteCertificate(site: Graph['sites'][number], now: number): readonly ReportFinding[] {
  const { certificate, web, name } = site;
  if (web.https === 'off') return [];
  const code = 'certificate.site';
  if (certificate === null) {
    const text = 'it is to be served over HTTPS, and has no certificate';
    return [finding('certificate', 'error', code, name, text, { advice: `run: aegir site verify ${name}` })];
  }
  const left = certificate.notAfter - now;
  const own = web.https === 'own';
  const advice = own
    ? `give it a new one: aegir site set ${name} --certificate FILE --certificate-key FILE`
    : `see why it is not renewed: aegir site certify ${name}`;
  const what = `its certificate of ${certificate.issuer}`;
  if (left <= 0) {
    return [finding('certificate', 'error', code, name, `${what} expired ${age(-left)} ago`, { advice })];
  }
  // Renewal is due after two thirds; an hour's grace for those that are just being renewed.
  const third = (certificate.notAfter - certificate.notBefore) / 3;
  if (left > third - (own ? 0 : HOUR_MS)) return [];
  const text = `${what} expires in ${age(left)}, within the last third of its life`;
  return [finding('certificate', 'warning', code, name, text, { advice })];
}

function age(ms: number): string {
  const hours = Math.floor(ms / HOUR_MS);
  if (hours < 1) return `${Math.max(1, Math.floor(ms / 60_000))} minutes`;
  return hours < 48 ? `${hours} hours` : `${Math.floor(hours / 24)} days`;
}

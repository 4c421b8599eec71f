// The steps about a site's certificate: made until there is a better one, ordered, proved by DNS where it is not by HTTP,
// fetched.
import { AegirError } from '../../../shared/error.ts';
import type { SiteRecord } from '../../store/model.ts';
import type { Store } from '../../store/store.ts';
import { covers, isOld, namesOf, replaceCertificate } from '../certificates.ts';
import type { StepHandler } from '../handler.ts';
import type { HandlerDeps } from '../parts.ts';
import { perform } from '../perform.ts';
import { dnsRequest } from './dns.ts';

const POLL_MS = 2000;
/** Authorities answer within seconds; one that takes this long is asked anew by a retry. */
const PATIENCE_MS = 15 * 60_000;
/** After that they are asked to look all the same. */
const LAG_MS = 2 * 60_000;
const PROOF_TTL_SECONDS = 60;

async function siteOf(store: Store, id: string): Promise<SiteRecord> {
  const site = await store.sites.get(id);
  if (site !== undefined) return site;
  throw new AegirError('failed_precondition', `cannot go on: site ${id} is not there any more`);
}

/** A self-signed one, unless the one that is there is good for all names. */
export function createCertificateEnsure({ store, certificates }: HandlerDeps): StepHandler<'certificate.ensure'> {
  return {
    kind: 'certificate.ensure',
    do: async (args, ctx) => {
      const site = await siteOf(store, args.siteId);
      // One of the authority stays while it is good for the main name: the next one will have the others.
      const needed = site.certificate?.source === 'acme' ? [site.name] : namesOf(site);
      const fresh = site.web.https !== 'self-signed' || !isOld(site.certificate, ctx.now());
      if (fresh && covers(site.certificate, needed, ctx.now())) return { is: 'done' };
      const made = await certificates.selfSigned(namesOf(site), ctx.now());
      const key = certificates.seal(made.keyPem);
      await store.transaction((tx) =>
        replaceCertificate(tx, site.id, made, 'self-signed', key, args.before?.keySecret),
      );
      ctx.emit({ $case: 'log', value: { level: 'info', text: `made a self-signed certificate for ${site.name}` } });
      return { is: 'done' };
    },
    undo: async (args) => {
      await store.transaction(async (tx) => {
        const site = await tx.sites.get(args.siteId);
        const now = site?.certificate?.keySecret;
        if (site === undefined || now === args.before?.keySecret) return;
        await tx.sites.update(args.siteId, { certificate: args.before });
        if (now !== undefined) await tx.secrets.delete(now);
      });
      return { is: 'done' };
    },
  };
}

/** The key of a certificate that the site had before, once it has another. */
export function createCertificateTidy({ store }: HandlerDeps): StepHandler<'certificate.tidy'> {
  return {
    kind: 'certificate.tidy',
    do: async (args) => {
      await store.transaction(async (tx) => {
        const site = await tx.sites.get(args.siteId);
        if (site?.certificate?.keySecret !== args.keySecret) await tx.secrets.delete(args.keySecret);
      });
      return { is: 'done' };
    },
    undo: { none: 'nothing uses it' },
  };
}

export function createCertificateOrder({ store, certificates }: HandlerDeps): StepHandler<'certificate.order'> {
  const forget = (siteId: string) =>
    store.transaction(async (tx) => {
      const site = await tx.sites.get(siteId);
      if (site === undefined || site.issuing === null) return;
      await tx.sites.update(siteId, { issuing: null });
      await tx.secrets.delete(site.issuing.keySecret);
    });
  return {
    kind: 'certificate.order',
    do: async (args, ctx) => {
      const site = await siteOf(store, args.siteId);
      const names = namesOf(site);
      // What a former task left is not taken up: authorities end orders.
      await forget(args.siteId);
      const order = await certificates.authority.order(names, args.by ?? 'http-01');
      const key = certificates.seal(await certificates.authority.newKey());
      await store.transaction(async (tx) => {
        await tx.secrets.insert(key);
        await tx.sites.update(site.id, { issuing: { ...order, keySecret: key.id, names } });
      });
      const count = order.challenges.length;
      const text = count === 0 ? 'all names are proved already' : `${count} of ${names.length} names are to be proved`;
      ctx.emit({ $case: 'log', value: { level: 'info', text } });
      return { is: 'done' };
    },
    undo: async (args) => {
      await forget(args.siteId);
      return { is: 'done' };
    },
  };
}

export function createCertificateProve(deps: HandlerDeps): StepHandler<'certificate.prove'> {
  return {
    kind: 'certificate.prove',
    do: async (args, ctx) => {
      const { issuing } = await siteOf(deps.store, args.siteId);
      const proofs = (issuing?.challenges ?? [])
        .filter(({ name, type }) => type === 'dns-01' && args.names.includes(name))
        .map(({ name, answer }) => ({ name: `_acme-challenge.${name}`, data: answer }));
      const made = proofs.map(({ name, data }) => ({ name, type: 'TXT', ttl: PROOF_TTL_SECONDS, data: `"${data}"` }));
      const records = [...args.records, ...made];
      const { serverId, request } = await dnsRequest(deps, 'apply', { ...args, records }, false);
      await perform(deps, ctx, 'do', serverId, `site/${args.siteId}`, request);
      // Secondaries may lag; an authority that asks one of them too early takes no second look.
      if ((await deps.certificates.published(args.zone, proofs)) || ctx.now() - ctx.startedAt >= LAG_MS) {
        return { is: 'done' };
      }
      return { is: 'wait', at: ctx.now() + POLL_MS, why: `not all name servers of ${args.zone} have the proofs yet` };
    },
    undo: async (args, ctx) => {
      const { serverId, request } = await dnsRequest(deps, 'apply', args, false);
      await perform(deps, ctx, 'undo', serverId, `site/${args.siteId}`, request);
      return { is: 'done' };
    },
  };
}

export function createCertificateFetch({ store, certificates, unseal }: HandlerDeps): StepHandler<'certificate.fetch'> {
  return {
    kind: 'certificate.fetch',
    do: async (args, ctx) => {
      const site = await siteOf(store, args.siteId);
      const { issuing } = site;
      // Done before a crash, and not recorded as such.
      if (issuing === null) return { is: 'done' };
      const later = (why: string) => {
        if (ctx.now() - ctx.startedAt < PATIENCE_MS) return { is: 'wait' as const, at: ctx.now() + POLL_MS, why };
        throw new AegirError('failed_precondition', `cannot get a certificate for ${site.name}: ${why}`);
      };
      if ((await certificates.authority.validate(issuing.challenges)) === 'pending') {
        return later('the authority has not looked at all names yet');
      }
      const secret = await store.secrets.get(issuing.keySecret);
      if (secret === undefined) throw new AegirError('data_loss', 'cannot fetch the certificate: its key is gone');
      const keyPem = unseal(secret.id, secret.sealed);
      const chainPem = await certificates.authority.finish(issuing.orderUrl, issuing.names, keyPem);
      if (chainPem === 'pending') return later('the authority still works on it');
      const made = { chainPem, keyPem, ...certificates.judge(chainPem, keyPem) };
      await store.transaction(async (tx) => {
        await replaceCertificate(tx, site.id, made, 'acme', { id: issuing.keySecret }, args.before?.keySecret);
        await tx.sites.update(site.id, { issuing: null });
      });
      const until = new Date(made.notAfter).toISOString().slice(0, 10);
      const text = `${made.issuer} gave a certificate for ${issuing.names.join(', ')}, valid until ${until}`;
      ctx.emit({ $case: 'log', value: { level: 'info', text } });
      return { is: 'done' };
    },
    undo: { none: 'what was before comes back with the first steps' },
  };
}

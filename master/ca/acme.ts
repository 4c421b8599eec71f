// The master at an ACME certificate authority (RFC 8555), by acme-client: one account, orders for sites, challenges,
// certificates. Loaded when first needed. Every call may be repeated; what an authority says against it is told.
import { readFileSync } from 'node:fs';
import { Agent } from 'node:https';
import { termsNotAgreed } from '../../shared/acme-terms.ts';
import { AegirError } from '../../shared/error.ts';

export interface AcmeConfig {
  /** Directory of the authority; undefined for Let's Encrypt. */
  readonly directory: string | undefined;
  /** Mail address for the authority's notices; '' for none. */
  readonly contact: string;
  /** The authority's terms are agreed to; without that nothing is asked. */
  readonly agreed: boolean;
  /** Where that is said. */
  readonly file: string;
  /** Certificates to trust when talking to the authority, for one of your own; undefined for the usual. */
  readonly caFile: string | undefined;
}

/** Where the account is kept. */
export interface AccountStore {
  load(): Promise<{ readonly keyPem: string; readonly url: string } | undefined>;
  save(account: { readonly keyPem: string; readonly url: string }): Promise<void>;
}

/** How a name is proved: by an answer over HTTP, or by a TXT record (RFC 8555 sections 8.3 and 8.4). */
export type Proof = 'http-01' | 'dns-01';

export interface Challenge {
  readonly name: string;
  readonly type: Proof;
  /** The authority's URLs of the challenge and of its authorisation. */
  readonly url: string;
  readonly authorization: string;
  readonly token: string;
  /** Key authorisation (RFC 8555 section 8.1), for dns-01 as its record has it. */
  readonly answer: string;
}

export interface Acme {
  /** Begins an order for these names; challenges of names that are proved already are left out. */
  order(
    names: readonly string[],
    by: Proof,
  ): Promise<{ readonly orderUrl: string; readonly challenges: readonly Challenge[] }>;
  /** Tells the authority that the answers are there, and looks: pending, or why it is not content. */
  validate(challenges: readonly (Omit<Challenge, 'type'> & { readonly type?: Proof })[]): Promise<'valid' | 'pending'>;
  /** The certificate of an order whose names are proved; pending while the authority still works on it. */
  finish(orderUrl: string, names: readonly string[], keyPem: string): Promise<string | 'pending'>;
  /** A key for a certificate, PKCS#8, PEM. */
  newKey(): Promise<string>;
}

type Library = typeof import('acme-client');
type Client = InstanceType<Library['Client']>;

export function createAcme(config: AcmeConfig, account: AccountStore): Acme {
  let opened: Promise<{ library: Library; client: Client }> | undefined;

  const open = async (): Promise<{ library: Library; client: Client }> => {
    if (!config.agreed) throw termsNotAgreed('ask a certificate authority', config.file);
    const library = await import('acme-client');
    if (config.caFile !== undefined) {
      library.axios.defaults.httpsAgent = new Agent({ ca: readFileSync(config.caFile, 'utf8') });
    }
    library.axios.defaults.timeout = 30_000;
    const known = await account.load();
    const keyPem = known?.keyPem ?? (await library.crypto.createPrivateEcdsaKey('P-256')).toString();
    const client = new library.Client({
      directoryUrl: config.directory ?? library.directory.letsencrypt.production,
      accountKey: keyPem,
      ...(known === undefined ? {} : { accountUrl: known.url }),
      backoffAttempts: 3,
    });
    if (known === undefined) {
      await client.createAccount({
        termsOfServiceAgreed: true,
        ...(config.contact === '' ? {} : { contact: [`mailto:${config.contact}`] }),
      });
      await account.save({ keyPem, url: client.getAccountUrl() });
    }
    return { library, client };
  };

  /** One account, however many ask at once; what failed is tried anew by the next. */
  const asked = async <T>(doing: string, work: (client: Client, library: Library) => Promise<T>): Promise<T> => {
    try {
      opened ??= open();
      const { client, library } = await opened;
      return await work(client, library);
    } catch (thrown) {
      opened = undefined;
      throw fromAuthority(doing, thrown);
    }
  };

  return {
    order: (names, by) =>
      asked('order a certificate', async (client) => {
        const order = await client.createOrder({ identifiers: names.map((value) => ({ type: 'dns', value })) });
        const challenges: Challenge[] = [];
        for (const authorization of await client.getAuthorizations(order)) {
          if (authorization.status === 'valid') continue;
          const challenge = authorization.challenges.find(({ type }) => type === by);
          const name = authorization.identifier.value;
          if (challenge === undefined) throw new Error(`the authority offers no ${by} challenge for ${name}`);
          const answer = await client.getChallengeKeyAuthorization(challenge);
          const { url, token } = challenge;
          challenges.push({ name, type: by, url, authorization: authorization.url, token, answer });
        }
        return { orderUrl: order.url, challenges };
      }),

    validate: (challenges) =>
      asked('prove the names to the authority', async (client) => {
        let pending = false;
        for (const { name, type = 'http-01', url, authorization, token } of challenges) {
          const [now] = await client.getAuthorizations({ authorizations: [authorization] } as never);
          if (now?.status === 'valid') continue;
          const mine = now?.challenges.find((each) => each.url === url);
          if (now?.status !== 'pending') {
            const problem = (mine as { error?: { detail?: string } } | undefined)?.error?.detail ?? now?.status;
            throw new Refused(`${name} was not proved: ${problem ?? 'no reason given'}`);
          }
          pending = true;
          if (mine?.status === 'pending') await client.completeChallenge({ type, url, token } as never);
        }
        return pending ? 'pending' : 'valid';
      }),

    finish: (orderUrl, names, keyPem) =>
      asked('fetch the certificate', async (client, library) => {
        let order = await client.getOrder({ url: orderUrl } as never);
        if (order.status === 'ready') {
          const [commonName = ''] = names;
          const [, csr] = await library.crypto.createCsr({ commonName, altNames: [...names] }, keyPem);
          order = await client.finalizeOrder(order, csr);
        }
        if (order.status === 'processing' || order.status === 'pending') return 'pending';
        if (order.status !== 'valid') throw new Refused(`the order is ${order.status}`);
        return client.getCertificate(order);
      }),

    newKey: () =>
      asked('make a key', async (_, library) => (await library.crypto.createPrivateEcdsaKey('P-256')).toString()),
  };
}

/** What no repetition mends. */
class Refused extends Error {}

function fromAuthority(doing: string, thrown: unknown): AegirError {
  if (thrown instanceof AegirError) return thrown;
  const error = thrown instanceof Error ? thrown : new Error(String(thrown));
  const response = (thrown as { response?: { status?: number } }).response;
  const final =
    error instanceof Refused || (response?.status !== undefined && response.status >= 400 && response.status < 500);
  const text = error.message.replace(/\s+/g, ' ').slice(0, 500);
  return new AegirError(final ? 'failed_precondition' : 'unavailable', `cannot ${doing}: ${text}`, {
    cause: error,
    retryable: !final,
  });
}

// The way to the server that requests are handed over to: connections over HTTP and HTTPS, kept for those requests alone
// that may be repeated. Over HTTPS it must show a certificate that the site has here.
import { X509Certificate } from 'node:crypto';
import { Agent, type ClientRequest, type RequestOptions, request } from 'node:http';
import { Agent as SecureAgent, request as secureRequest } from 'node:https';
import type { Socket } from 'node:net';
import type { TLSSocket } from 'node:tls';
import type { UpstreamSpec } from '../../shared/gen/aegir/v1/spec.ts';

/** Idle connections that are kept, and for how long: less than any web server keeps its end. */
const MOST_IDLE = 16;
const IDLE_MS = 3_000;
const CONNECT_MS = 5_000;
const CERTIFICATES_MS = 10_000;

export interface Outgoing {
  readonly method: string;
  readonly path: string;
  /** Names and values in turn. */
  readonly headers: readonly string[];
  /** Host name that the visitor asked for. */
  readonly name: string;
  /** He came over HTTPS. */
  readonly secure: boolean;
  /** It may go by a connection that was used before, whose end may have been closed meanwhile. */
  readonly repeatable: boolean;
}

export interface Way {
  /** A request of which nothing has been sent. */
  open(what: Outgoing): Promise<ClientRequest>;
  /** Ends what is idle; what is under way goes on. */
  close(): void;
}

/** certificates: PEM files of the site, each with what vouches for it; read again now and then, since they are renewed. */
export function createWay(upstream: UpstreamSpec, certificates: () => Promise<readonly string[]>): Way {
  const { address, port, tlsPort } = upstream;
  const keeping = { keepAlive: true, maxFreeSockets: MOST_IDLE, keepAliveMsecs: 10_000, timeout: IDLE_MS };
  const [kept, fresh] = [new Agent(keeping), new Agent()];
  // A session that goes on shows no certificate.
  const secureKept = new SecureAgent({ ...keeping, maxCachedSessions: 0 });
  const secureFresh = new SecureAgent({ maxCachedSessions: 0 });
  let known: { readonly at: number; readonly pems: readonly string[] } | undefined;

  const ours = async (): Promise<readonly string[]> => {
    if (known === undefined || performance.now() - known.at > CERTIFICATES_MS) {
      known = { at: performance.now(), pems: await certificates() };
    }
    return known.pems;
  };

  return {
    async open({ method, path, headers, name, secure, repeatable }) {
      const common: RequestOptions = {
        host: address,
        method,
        path,
        headers: headers as string[],
        setHost: false,
      };
      if (!secure || tlsPort === 0) return request({ ...common, port, agent: repeatable ? kept : fresh });
      const pems = await ours();
      const prints = new Set(pems.map((pem) => new X509Certificate(pem).fingerprint256));
      return secureRequest({
        ...common,
        port: tlsPort,
        agent: repeatable ? secureKept : secureFresh,
        servername: name,
        ca: [...pems],
        allowPartialTrustChain: true,
        minVersion: 'TLSv1.2',
        checkServerIdentity: (_name, { fingerprint256 }) =>
          prints.has(fingerprint256) ? undefined : new Error('the certificate there is not that of the site'),
      });
    },
    close() {
      for (const agent of [kept, fresh, secureKept, secureFresh]) {
        for (const sockets of Object.values(agent.freeSockets)) for (const socket of sockets ?? []) socket.destroy();
      }
    },
  };
}

/** Resolves when the connection stands, over TLS with the right certificate; nothing has been sent until then. */
export function connected(call: ClientRequest): Promise<void> {
  return new Promise((resolve, reject) => {
    const timer = setTimeout(() => call.destroy(new Error(`no connection within ${CONNECT_MS} ms`)), CONNECT_MS);
    const end = (then: () => void) => {
      clearTimeout(timer);
      call.off('error', failed);
      then();
    };
    const failed = (error: Error) => end(() => reject(error));
    call.on('error', failed);
    const watch = (socket: Socket) => {
      const secure = 'encrypted' in socket;
      if (
        !socket.connecting &&
        !(secure && (socket as TLSSocket & { readonly secureConnecting?: boolean }).secureConnecting === true)
      )
        return end(resolve);
      socket.once(secure ? 'secureConnect' : 'connect', () => end(resolve));
    };
    // It may have one by now.
    if (call.socket !== null) watch(call.socket);
    else call.once('socket', watch);
  });
}

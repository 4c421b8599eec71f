// Turns a join token into the agent's identity: proves the master by the CA pin first, then shows the token.
import { Metadata } from '@grpc/grpc-js';
import { AegirError } from '../shared/error.ts';
import {
  type EnrolRequest,
  type EnrolResponse,
  EnrolServiceClient,
  type HostFacts,
} from '../shared/gen/aegir/v1/agent.ts';
import { createKeyAndRequest } from './csr.ts';
import { type AgentIdentity, checkIdentity, type IdentityStore, parseAddress, splitPem } from './identity.ts';
import { fetchPinnedCa, parsePin, pinOf } from './pin.ts';
import { CHANNEL_OPTIONS, fromServiceError, masterCredentials } from './rpc.ts';

export interface EnrolOptions {
  /** host:port of the enrol listener. */
  readonly master: string;
  readonly token: string;
  /** sha256:… of the authority's key. */
  readonly caPin: string;
  /** Name the server would like; default the host's. */
  readonly name?: string;
  readonly facts: HostFacts;
  readonly store: IdentityStore;
  /** Replace an identity that is there. */
  readonly again: boolean;
  readonly now: () => number;
}

const TIMEOUT_MS = 30_000;
const MAX_TOKEN = 512;
const MAX_ADDRESSES = 50;

/** Answers the identity, which is on the disk then. */
export async function enrol(options: EnrolOptions): Promise<AgentIdentity> {
  const { store } = options;
  const pin = parsePin(options.caPin);
  const address = parseAddress(options.master);
  if (!/^[\x21-\x7e]+$/.test(options.token) || options.token.length > MAX_TOKEN) {
    throw new AegirError(
      'invalid_argument',
      'cannot join: that is no join token; use the line that the master printed',
    );
  }
  if (!options.again) await refuseSecondTime(store);

  const caPem = await fetchPinnedCa(address, pin, options.now());
  const { facts } = options;
  const name = options.name ?? facts.hostname;
  const { keyPem, csrPem } = await createKeyAndRequest(name);
  const response = await call(options.master, caPem, { token: options.token, csrPem, name, facts });

  const identity: AgentIdentity = {
    serverId: response.serverId,
    name: response.name,
    keyPem,
    certificatePem: response.certificatePem,
    caPem: response.caPem,
    masters: response.masters,
    enrolAddresses: response.enrolAddresses.slice(0, MAX_ADDRESSES),
  };
  checkIdentity(identity);
  if (!splitPem(identity.caPem).some((authority) => pinOf(authority) === pin)) {
    throw new AegirError(
      'permission_denied',
      'cannot join: the master answered with other authorities than the pin names',
    );
  }
  await store.save(identity);
  return identity;
}

async function refuseSecondTime(store: IdentityStore): Promise<void> {
  const there = await store.load();
  if (there === undefined) return;
  throw new AegirError(
    'already_exists',
    `cannot join: this host is ${there.name} (${there.serverId}) already; use --again to give it a new identity`,
  );
}

async function call(target: string, caPem: string, request: EnrolRequest): Promise<EnrolResponse> {
  const client = new EnrolServiceClient(target, masterCredentials(caPem), CHANNEL_OPTIONS);
  try {
    return await new Promise<EnrolResponse>((resolve, reject) => {
      client.enrol(request, new Metadata(), { deadline: Date.now() + TIMEOUT_MS }, (error, response) => {
        if (error) reject(fromServiceError(error, 'join'));
        else resolve(response);
      });
    });
  } finally {
    client.close();
  }
}

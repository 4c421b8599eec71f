// How an agent and the master log in to a mesh node: the JWT, and the node's nonce signed with the key that it names.
import { type Authenticator, jwtAuthenticator } from 'nats';

/**
 * Asked for at every connect. Says the JWT and the signature only: a node that reads its configuration anew (for a
 * renewed certificate) closes connections that also named their nkey, since it looks for it among the users of its
 * configuration file (nats-server 2.9, clientHasMovedToDifferentAccount in server/reload.go).
 */
export function meshLogin(jwt: () => string, seed: Uint8Array): Authenticator {
  const whole = jwtAuthenticator(jwt, seed);
  return (nonce) => {
    const { jwt: token, sig } = whole(nonce) as { readonly jwt: string; readonly sig: string };
    return { jwt: token, sig };
  };
}

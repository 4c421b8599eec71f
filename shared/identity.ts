// The identity inside certificates: URI SAN aegir://<server-id> for agents, aegir://master for masters.
import { isId } from './id.ts';

export const MASTER_IDENTITY = 'aegir://master';

export function serverIdentity(serverId: string): string {
  return `aegir://${serverId}`;
}

/** Server id of an agent's identity; undefined for anything else. */
export function serverIdOf(uri: string): string | undefined {
  if (!uri.startsWith('aegir://')) return undefined;
  const id = uri.slice('aegir://'.length);
  return isId('srv', id) ? id : undefined;
}

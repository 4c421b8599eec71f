// A link over the nats client: subjects, who may be believed to have sent what, and the end of the connection.
import type { NatsConnection } from 'nats';
import { AegirError } from '../../shared/error.ts';
import { isId } from '../../shared/id.ts';
import type { Link } from './mesh.ts';

/** The mesh lets an agent publish with its own id after `from` and subscribe with its own after `to` only: see the claims. */
export function createLink(connection: NatsConnection, me: string): Link {
  const lost = new AbortController();
  const gone = (cause: unknown) =>
    new AegirError('unavailable', 'cannot reach the mesh: the connection to its node is lost', { cause });
  void connection.closed().then((why) => lost.abort(gone(why)));
  return {
    lost: lost.signal,
    send(to, word, transfer, data) {
      try {
        connection.publish(`aegir.to.${to}.from.${me}.${word}.${transfer}`, data);
      } catch (cause) {
        throw gone(cause);
      }
    },
    hear(from, word, transfer, on) {
      const subscription = connection.subscribe(`aegir.to.${me}.from.${from}.${word}.${transfer}`, {
        callback: (error, message) => {
          if (error !== null) return;
          const parts = message.subject.split('.');
          const [sender = '', name = ''] = [parts[4], parts[6]];
          if (parts.length === 7 && isId('srv', sender) && isTransfer(name)) on(sender, name, message.data);
        },
      });
      return () => {
        if (!connection.isClosed()) subscription.unsubscribe();
      };
    },
    async flush() {
      try {
        await connection.flush();
      } catch (cause) {
        throw gone(cause);
      }
    },
  };
}

/** Form of a transfer's name. */
export function isTransfer(text: string): boolean {
  return /^[A-Za-z0-9]{16,40}$/.test(text);
}

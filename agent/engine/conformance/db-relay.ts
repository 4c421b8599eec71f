// Connections from an address of choice: a client program connects to a socket here, and a relay connects on from that
// address, so that a database server sees a real client there.
import { once } from 'node:events';
import { chmod, mkdtemp, rm } from 'node:fs/promises';
import { connect, createServer, type Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

export interface Relay {
  /** UNIX socket for the client. */
  readonly socket: string;
  close(): Promise<void>;
}

/** from is any address of the loopback network; name is what the client wants its socket to be called. */
export async function openRelay(
  from: string,
  to: { readonly address: string; readonly port: number },
  name: string,
): Promise<Relay> {
  const dir = await mkdtemp(join(tmpdir(), 'aegir-relay-'));
  // The client may run as somebody else.
  await chmod(dir, 0o755);
  const socket = join(dir, name);
  const open = new Set<Socket>();
  const server = createServer((client) => {
    const onward = connect({ host: to.address, port: to.port, localAddress: from });
    for (const [one, another] of [
      [client, onward],
      [onward, client],
    ] as const) {
      open.add(one);
      // Who is refused is cut off in the middle: its own error says so, ours would say it twice.
      one.on('error', () => another.destroy());
      one.on('close', () => open.delete(one));
      one.pipe(another);
    }
  });
  server.listen(socket);
  await once(server, 'listening');
  await chmod(socket, 0o777);
  return {
    socket,
    async close() {
      for (const each of open) each.destroy();
      server.close();
      await rm(dir, { recursive: true, force: true });
    },
  };
}

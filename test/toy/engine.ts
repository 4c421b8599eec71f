// A toy engine, dns/toy, as somebody would write one: all of it is this file. Its name server (server.ts) is a small Node program
// that says where it is in a file of the host's, and whose zones are changed over HTTP.
import { join } from 'node:path';
import { createJsonClient } from '../../agent/engine/dns/http-json.ts';
import { createRecordEngine } from '../../agent/engine/dns/record-engine.ts';
import { contentsOf, type RecordRead } from '../../agent/engine/dns/rrset.ts';
import { checkKeys } from '../../agent/engine/dns/settings.ts';
import { CHANGED } from '../../agent/engine/dns/zone-transport.ts';
import type { Engine } from '../../agent/engine/engine.ts';
import type { Host } from '../../agent/host/host.ts';
import { AegirError } from '../../shared/error.ts';

interface Announced {
  readonly url: string;
  readonly port: number;
}

export function createToyEngine({ withinMs = 5000 }: { readonly withinMs?: number } = {}): Engine<'dns'> {
  const clientOf = ({ url }: Announced) => createJsonClient({ url, what: 'the toy', headers: {}, withinMs });
  return createRecordEngine({
    name: 'toy',
    async detect(host) {
      const there = await announced(host);
      if (there === undefined) return [];
      const request = { path: '/zones', doing: 'look at the toy', signal: AbortSignal.timeout(2000) };
      const running = await clientOf(there)(request).then(
        ({ status }) => status === 200,
        () => false,
      );
      return [
        {
          ...{
            type: 'dns',
            engine: 'toy',
            instance: '',
            version: '1.0',
            ports: [there.port],
            configRoots: [],
            running,
          },
          ...{ manageable: true, socket: '', capabilities: ['prepare', 'check'] },
        },
      ];
    },
    async transport(service, { host }) {
      checkKeys(service, { settings: [], secrets: [] });
      const there = await announced(host);
      if (there === undefined) {
        throw new AegirError('failed_precondition', 'cannot use the toy: it is not on this host; start it');
      }
      const ask = clientOf(there);
      return {
        async zones(signal) {
          const answer = await ask({ path: '/zones', doing: 'list the zones', signal });
          return answer.json() as readonly string[];
        },
        async read(zone, _names, signal) {
          const doing = `read zone ${zone}`;
          const answer = await ask({ path: `/zones/${zone}`, doing, signal });
          if (answer.status === 404) throw new AegirError('not_found', `cannot ${doing}: the toy does not have it`);
          return contentsOf(answer.json() as readonly RecordRead[]);
        },
        async write(zone, edits, signal) {
          const doing = `change zone ${zone}`;
          const { status } = await ask({ method: 'PATCH', path: `/zones/${zone}`, body: edits, doing, signal });
          if (status === 409) throw new AegirError('aborted', `cannot ${doing}: ${CHANGED}`);
          if (status !== 204)
            throw new AegirError('failed_precondition', `cannot ${doing}: the toy answered ${status}`);
        },
      };
    },
  });
}

async function announced(host: Host): Promise<Announced | undefined> {
  const text = await host.files.read(join(host.paths.run, 'toy-dns.json'));
  return text === undefined ? undefined : (JSON.parse(text) as Announced);
}

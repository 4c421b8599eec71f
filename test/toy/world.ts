// The toy's name server as the suite of dns engines sees a world: started as a process, and changed by a person behind the
// engine's back.
import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { DnsWorld } from '../../agent/engine/conformance/dns-stage.ts';
import { presentation } from '../../agent/engine/dns/rdata.ts';
import { contentsOf, type Edit, type RecordRead } from '../../agent/engine/dns/rrset.ts';
import { startChild } from '../../deploy/up/child.ts';
import { until } from '../../deploy/up/processes.ts';

export interface ToyWorld extends DnsWorld {
  /** The file in which it says where it is. */
  readonly announced: string;
}

/** announceIn: default a file of its own. */
export async function startToy(address: string, zone: string, announceIn?: string): Promise<ToyWorld> {
  const dir = mkdtempSync(join(tmpdir(), 'aegir-toy-'));
  const file = announceIn ?? join(dir, 'toy-dns.json');
  const server = new URL('server.ts', import.meta.url).pathname;
  const argv = [process.execPath, server, address, zone, file] as const;
  const child = startChild({ name: 'toy', argv: [...argv], log: join(dir, 'log'), env: {} });
  await until('the toy to serve', child, AbortSignal.timeout(20_000), async () => existsSync(file));
  const { url, port } = JSON.parse(readFileSync(file, 'utf8')) as { url: string; port: number };
  const all = async () => contentsOf((await (await fetch(`${url}/zones/${zone}`)).json()) as RecordRead[]);
  const change = async (edit: Edit) => {
    const answer = await fetch(`${url}/zones/${zone}`, { method: 'PATCH', body: JSON.stringify([edit]) });
    if (answer.status !== 204) throw new Error(`the toy answered ${answer.status}`);
  };
  return {
    announced: file,
    address: `${address}:${port}`,
    async add(name, type, data, ttl = 60) {
      const before = (await all()).get(name, type);
      const more = [...new Set([...(before?.data ?? []), presentation(type, data)])].sort();
      await change({ name, type, before, after: { name, type, ttl, data: more } });
    },
    async remove(name, type, data) {
      for (const before of (await all()).at(name)) {
        if (type !== undefined && before.type !== type) continue;
        const left = data === undefined ? [] : before.data.filter((each) => each !== presentation(before.type, data));
        const after = left.length === 0 ? undefined : { ...before, data: left };
        await change({ name, type: before.type, before, after });
      }
    },
    everything: async () =>
      (await all())
        .all()
        .flatMap(({ name, ttl, type, data }) => data.map((each) => `${name} ${ttl} ${type} ${each}`))
        .sort(),
    carryOut: async () => {},
    silence(on) {
      if (on) writeFileSync(`${file}.silent`, '');
      else rmSync(`${file}.silent`, { force: true });
    },
    async close() {
      await child.stop();
      rmSync(dir, { recursive: true });
    },
  };
}

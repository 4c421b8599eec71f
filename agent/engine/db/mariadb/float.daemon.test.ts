// What of numbers a dump keeps: all of a DOUBLE, six digits of a FLOAT, which is told.
import { chmod, mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { databaseName, databaseUser } from '../../../../shared/database-name.ts';
import type { DbSpec, ServiceRef } from '../../../../shared/gen/aegir/v1/spec.ts';
import { createEmbeddedHost } from '../../../host/embedded/host.ts';
import type { Host } from '../../../host/host.ts';
import { contextOf } from '../../conformance/interruption.ts';
import { runChanges } from '../../engine.ts';
import { createMariadbEngine } from './engine.ts';

const engine = createMariadbEngine();
const service: ServiceRef = {
  ...{ id: 'svc-0000000000000001', serverId: 'srv-0000000000000001', type: 'db', engine: 'mariadb' },
  ...{ version: '', instance: '', settings: {}, secrets: {} },
};
const said: string[] = [];
let dir: string;
let host: Host;

function specOf(body: string): DbSpec {
  const siteId = `site-${body}`;
  const names = { database: databaseName(siteId), user: databaseUser(siteId) };
  return { siteId, ...names, password: 'secret', from: ['127.0.48.3'], holdsContent: false, frozen: false };
}

async function sql(text: string, database: string): Promise<readonly string[]> {
  const daemon = await host.daemon('mariadb');
  const { code, stdout, stderr } = await host.run({
    argv: [
      ...(['mariadb', '--no-defaults', '--batch', '--skip-column-names'] as const),
      ...[`--socket=${daemon?.socket}`, `--user=${daemon?.user}`, database],
    ],
    input: text,
  });
  if (code !== 0) throw new Error(stderr);
  return stdout.split('\n').filter((line) => line !== '');
}

beforeAll(async () => {
  dir = await mkdtemp(join(tmpdir(), 'aegir-float-'));
  await chmod(dir, 0o755);
  host = await createEmbeddedHost({
    ...{ dir: join(dir, 'host'), hostname: 'db.test', address: '127.0.48.1' },
    ...{ ports: { nginx: 1, mariadb: 3306 }, daemons: ['mariadb'] },
  });
});
afterAll(async () => {
  await host?.close();
  await rm(dir, { recursive: true, force: true });
});

test('a DOUBLE, and a FLOAT of so many places, come back bit by bit; a FLOAT to six digits, and that is told', async () => {
  const ctx = { ...contextOf(host), log: (level: string, text: string) => void said.push(`${level}: ${text}`) };
  const [one, other] = [specOf('0000000000000001'), specOf('0000000000000002')];
  for (const each of [one, other]) await runChanges(await engine.plan(service, each, ctx), ctx);
  const copy = async () => engine.restore(service, other, engine.dump(service, one, ctx), ctx);
  await sql(
    `CREATE TABLE exact (i INT PRIMARY KEY, d DOUBLE, p FLOAT(10, 3));
INSERT INTO exact VALUES (1, 1e0 / 3e0, 1234.567), (2, 5e-324, 99999.999), (3, 1.7976931348623157e308, 0), (4, 9007199254740993, -1);`,
    one.database,
  );
  await copy();
  const differ = (table: string, column: string) =>
    sql(
      `SELECT COUNT(*) FROM ${one.database}.${table} a JOIN ${other.database}.${table} b USING (i) WHERE NOT a.${column} <=> b.${column};`,
      one.database,
    );
  expect([await differ('exact', 'd'), await differ('exact', 'p')]).toEqual([['0'], ['0']]);
  expect(said.filter((line) => line.startsWith('warn'))).toEqual([]);

  await sql(
    'CREATE TABLE rough (i INT PRIMARY KEY, f FLOAT); INSERT INTO rough VALUES (1, 16777215), (2, 0.1234567), (3, 0.5), (4, 123456);',
    one.database,
  );
  await copy();
  expect(said.filter((line) => line.startsWith('warn'))).toEqual([
    `warn: 1 of the tables in ${one.database} has a column of type FLOAT, of which a dump keeps six digits; ALTER TABLE … MODIFY … DOUBLE keeps all`,
  ]);
  const far = await sql(
    `SELECT MAX(ABS(a.f - b.f) / a.f) < 5e-6 FROM ${one.database}.rough a JOIN ${other.database}.rough b USING (i);`,
    one.database,
  );
  expect([far, await differ('rough', 'f')]).toEqual([['1'], ['2']]);
  await sql('ALTER TABLE rough MODIFY f DOUBLE;', one.database);
  await copy();
  expect(await differ('rough', 'f')).toEqual(['0']);
});

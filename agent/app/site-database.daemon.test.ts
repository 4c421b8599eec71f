// A site's own look into its database, on real servers of each kind, by the site's PHP.
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { SiteSpec } from '../../shared/gen/aegir/v1/spec.ts';
import { runCron } from '../cron/run-cron.ts';
import { createMariadbEngine } from '../engine/db/mariadb/engine.ts';
import { createPostgresqlEngine } from '../engine/db/postgresql/engine.ts';
import { createNginxEngine } from '../engine/http/nginx/engine.ts';
import { planAccount, planAccountRemoval } from '../site/account.ts';
import { writeCode } from './conformance-code.ts';
import { HOSTILE, openStage, type Stage } from './conformance-stage.ts';
import { createVisitor } from './conformance-visitor.ts';
import { createPhpApp } from './php/app.ts';
import { databaseContents, emptyDatabase } from './site-database.ts';

/** A site's code that does in its database what it is asked to, by what Aegir handed over. */
const CODE = `<?php
$dsn = AEGIR_DB_DRIVER . ':host=' . AEGIR_DB_HOST . ';port=' . AEGIR_DB_PORT . ';dbname=' . AEGIR_DB_NAME;
$db = new PDO($dsn, AEGIR_DB_USER, AEGIR_DB_PASSWORD, [PDO::ATTR_ERRMODE => PDO::ERRMODE_EXCEPTION]);
$answer = [];
foreach (json_decode($_GET['do']) as $sql) {
  $done = $db->query($sql);
  $answer = $done->columnCount() > 0 ? $done->fetchAll(PDO::FETCH_NUM) : [];
}
echo json_encode($answer);`;

const ODD = 'odd "`\' name';
const KINDS = [
  {
    db: createMariadbEngine(),
    make: [
      'CREATE TABLE parent (id INT PRIMARY KEY)',
      'CREATE TABLE child (id INT, FOREIGN KEY (id) REFERENCES parent (id))',
      'CREATE VIEW seen AS SELECT * FROM parent',
      `CREATE TABLE \`${ODD.replaceAll('`', '``')}\` (i INT)`,
      'CREATE TABLE marked (name VARCHAR(9), value BLOB)',
    ],
  },
  {
    db: createPostgresqlEngine(),
    make: [
      'CREATE TABLE parent (id serial PRIMARY KEY)',
      'CREATE TABLE child (id int REFERENCES parent (id))',
      'CREATE VIEW seen AS SELECT * FROM parent',
      'CREATE SEQUENCE alone',
      'CREATE SCHEMA more',
      `CREATE TABLE more."${ODD.replaceAll('"', '""')}" (i int)`,
      'CREATE TABLE marked (name varchar(9), value bytea)',
    ],
  },
];
const MARKER = { table: 'marked', sql: "SELECT value FROM marked WHERE name = 'm'" };

describe.each(KINDS)('on $db.name', ({ db, make }) => {
  let stage: Stage;
  let site: SiteSpec;
  beforeAll(async () => {
    stage = await openStage(
      createPhpApp(),
      { http: createNginxEngine(), db, planAccount, planAccountRemoval, runCron },
      HOSTILE,
    );
    const root = join(stage.dir, 'code');
    await writeCode(stage.host.files, root, { 'index.php': CODE });
    site = stage.site('0000000000000001', root);
    await stage.publish(site);
  });
  afterAll(() => stage?.close());

  const look = (of = site) => databaseContents(of, MARKER, stage.layout(of), stage.ctx);
  /** As a visitor of the site. */
  const does = async (statements: readonly string[]): Promise<unknown> => {
    const { body } = await createVisitor(stage, site.url).get(`/?do=${encodeURIComponent(JSON.stringify(statements))}`);
    return JSON.parse(body);
  };

  it('an empty one is empty', async () => expect(await look()).toEqual({ tables: [], marker: null }));

  it('the site’s code reaches it by what Aegir hands over, and what it made is seen', async () => {
    await does([...make, "INSERT INTO marked VALUES ('x', 'other')"]);
    expect(await look()).toMatchObject({ marker: null });
    await does(["INSERT INTO marked VALUES ('m', 's:4:\"done\";')"]);
    const { tables, marker } = await look();
    expect([...tables].sort()).toEqual(['child', 'marked', ODD, 'parent', 'seen']);
    expect(marker).toBe('s:4:"done";');
  });

  it('is emptied whole, whatever hangs on what', async () => {
    await emptyDatabase(site, stage.layout(site), stage.ctx);
    expect(await look()).toEqual({ tables: [], marker: null });
    await does(make.filter((sql) => !sql.includes('SCHEMA')));
    expect((await look()).tables).toHaveLength(5);
  });

  it('that does not let it in, or does not answer, is said to be so', async () => {
    const change = (part: Partial<NonNullable<SiteSpec['db']>>): SiteSpec => ({
      ...site,
      db: { ...(site.db as NonNullable<SiteSpec['db']>), ...part },
    });
    await expect(look(change({ password: 'wrong-password' }))).rejects.toMatchObject({ code: 'permission_denied' });
    await expect(look(change({ database: 'site_0000000000000009' }))).rejects.toMatchObject({
      code: 'permission_denied',
    });
    await expect(look(change({ port: 1 }))).rejects.toMatchObject({ code: 'unavailable' });
  });
});

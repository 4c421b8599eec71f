// Any PHP code base as one of the apps, with a database of each kind.
import { join } from 'node:path';
import { describe } from 'vitest';
import type { SiteSpec } from '../../../shared/gen/aegir/v1/spec.ts';
import { runCron } from '../../cron/run-cron.ts';
import { createMariadbEngine } from '../../engine/db/mariadb/engine.ts';
import { createPostgresqlEngine } from '../../engine/db/postgresql/engine.ts';
import { createNginxEngine } from '../../engine/http/nginx/engine.ts';
import { planAccount, planAccountRemoval } from '../../site/account.ts';
import { createApps } from '../apps.ts';
import { describeApp } from '../conformance.ts';
import { writeCode } from '../conformance-code.ts';
import type { Stage } from '../conformance-stage.ts';
import { createPhpApp } from './app.ts';

function script(stage: Stage, site: SiteSpec, code: string): Promise<void> {
  return stage.host.files.write(join(site.platform?.root ?? '', 'aegir-cron.php'), code, { mode: 0o644 });
}

describe.each([createMariadbEngine(), createPostgresqlEngine()])('with $name', (db) => {
  describeApp({
    app: createPhpApp(),
    apps: createApps(),
    world: { http: createNginxEngine(), db, planAccount, planAccountRemoval, runCron },
    needsDatabase: true,
    code: async (dir, files) => {
      const root = join(dir, 'code');
      await writeCode(files, root, {
        'composer.json': '{"require": {"php": ">=8.1"}}',
        'public/index.php': '<?php echo "<p>", htmlspecialchars(AEGIR_SITE_ID), "</p>";',
        'public/more/page.php': '<?php echo "<p>more</p>";',
        'public/style.css': 'p { color: black }',
        'public/.env': 'SECRET=1',
        'public/dump.sql': 'secret',
        'public/vendor/autoload.php': '<?php echo "ran";',
        'public/tests/run.php': '<?php echo "ran";',
        'public/lib.class.php': '<?php echo "ran";',
        'public/index.php~': '<?php secret',
        'src/secret.php': '<?php secret',
      });
      return root;
    },
    version: /^$/,
    docroot: (root) => join(root, 'public'),
    settings: {
      read: `require $site['config'] . '/settings.php';
      $found = array(AEGIR_DB_DRIVER, AEGIR_DB_PASSWORD, AEGIR_DB_USER, AEGIR_DB_NAME, AEGIR_DB_PORT, AEGIR_SITE_URL, AEGIR_SALT)`,
      expected: ({ db, url, salt }) => [db?.driver, db?.password, db?.user, db?.database, db?.port, url, salt],
    },
    spoil: (stage, site) => `${stage.layout(site).config}/settings.php`,
    uploads: () => '/files/',
    cron: {
      due: async (stage, site) => {
        const code = "<?php echo AEGIR_SITE_ID; file_put_contents(AEGIR_PRIVATE . '/ran', 'x', FILE_APPEND);";
        await script(stage, site, code);
        return async () => ((await stage.host.files.read(join(stage.layout(site).private, 'ran'))) ?? '').length;
      },
      broken: (stage, site) =>
        script(stage, site, "<?php throw new Exception('broken on purpose ' . AEGIR_DB_PASSWORD . ' ' . AEGIR_SALT);"),
      mended: (stage, site) => script(stage, site, '<?php echo "fine\n";'),
      timeoutMs: 20_000,
    },
    denied: ['/.env', '/dump.sql', '/vendor/autoload.php', '/tests/run.php', '/lib.class.php', '/index.php~'],
    open: [
      ['/', /html/],
      ['/more/page.php', /html/],
      ['/tests/of/an/address', /html/],
      ['/style.css', /css/],
    ],
  });
});

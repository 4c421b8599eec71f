// Static files as one of the apps.
import { join } from 'node:path';
import { runCron } from '../../cron/run-cron.ts';
import { createMariadbEngine } from '../../engine/db/mariadb/engine.ts';
import { createNginxEngine } from '../../engine/http/nginx/engine.ts';
import { planAccount, planAccountRemoval } from '../../site/account.ts';
import { createApps } from '../apps.ts';
import { describeApp } from '../conformance.ts';
import { writeCode } from '../conformance-code.ts';
import { createStaticApp } from './app.ts';

describeApp({
  app: createStaticApp(),
  apps: createApps(),
  world: { http: createNginxEngine(), db: createMariadbEngine(), planAccount, planAccountRemoval, runCron },
  needsDatabase: false,
  code: async (dir, files) => {
    const root = join(dir, 'code');
    await writeCode(files, root, {
      'html/index.html': '<p>home</p>',
      'html/src/index.html': '<p>a page about sources</p>',
      'html/run.php': '<?php echo "ran";',
      'html/.git/config': 'secret',
      'html/dump.sql': 'secret',
      Makefile: 'secret',
    });
    return root;
  },
  version: /^$/,
  docroot: (root) => join(root, 'html'),
  spoil: (stage, site) => `${stage.layout(site).docroot}/site`,
  uploads: () => '/files/',
  denied: ['/run.php', '/.git/config', '/dump.sql', '/nothing', '/Makefile'],
  open: [
    ['/', /html/],
    ['/src/', /html/],
  ],
});

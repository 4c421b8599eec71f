// The one list of engines. A new engine is one folder and one line here.
import { createMariadbEngine, createMysqlEngine } from './db/mariadb/engine.ts';
import { createPostgresqlEngine } from './db/postgresql/engine.ts';
import { createBindEngine } from './dns/bind/engine.ts';
import { createNullDnsEngine } from './dns/null/engine.ts';
import { createPowerdnsEngine } from './dns/powerdns/engine.ts';
import { createRfc2136Engine } from './dns/rfc2136/engine.ts';
import { createWebhookEngine } from './dns/webhook/engine.ts';
import type { Engine } from './engine.ts';
import { createGitEngine } from './file/git/engine.ts';
import { createMeshEngine } from './file/mesh/engine.ts';
import { createMountEngine } from './file/mount/engine.ts';
import { createScpEngine } from './file/scp/engine.ts';
import { createScratches } from './file/scratch.ts';
import { createSftpEngine } from './file/sftp/engine.ts';
import { createSubversionEngine } from './file/subversion/engine.ts';
import { createApacheEngine } from './http/apache/engine.ts';
import { createClusterEngine } from './http/cluster/engine.ts';
import { createLocks } from './http/config/lock.ts';
import { createFpmPools } from './http/fpm/pools.ts';
import { createNginxEngine } from './http/nginx/engine.ts';

export function createEngines(): readonly Engine[] {
  // Web servers share PHP-FPM: they take turns with it.
  const pools = createFpmPools(createLocks());
  const openScratch = createScratches();
  return [
    createNginxEngine(pools),
    createApacheEngine(pools),
    createClusterEngine(),
    createMariadbEngine(),
    createMysqlEngine(),
    createPostgresqlEngine(),
    createNullDnsEngine(),
    createBindEngine(),
    createPowerdnsEngine(),
    createRfc2136Engine(),
    createWebhookEngine(),
    createMeshEngine(),
    createMountEngine(),
    createSftpEngine(openScratch),
    createScpEngine(openScratch),
    createGitEngine(openScratch),
    createSubversionEngine(openScratch),
  ];
}

// The one list of engines. A new engine is one folder and one line here.
import { createMariadbEngine, createMysqlEngine } from './db/mariadb/engine.ts';
import { createPostgresqlEngine } from './db/postgresql/engine.ts';
import { createNullDnsEngine } from './dns/null/engine.ts';
import type { Engine } from './engine.ts';
import { createNginxEngine } from './http/nginx/engine.ts';

export function createEngines(): readonly Engine[] {
  return [
    createNginxEngine(),
    createMariadbEngine(),
    createMysqlEngine(),
    createPostgresqlEngine(),
    createNullDnsEngine(),
  ];
}

// The one list of engines. A new engine is one folder and one line here.
import { createMariadbEngine, createMysqlEngine } from './db/mariadb/engine.ts';
import { createPostgresqlEngine } from './db/postgresql/engine.ts';
import { createBindEngine } from './dns/bind/engine.ts';
import { createNullDnsEngine } from './dns/null/engine.ts';
import { createPowerdnsEngine } from './dns/powerdns/engine.ts';
import { createRfc2136Engine } from './dns/rfc2136/engine.ts';
import { createWebhookEngine } from './dns/webhook/engine.ts';
import type { Engine } from './engine.ts';
import { createNginxEngine } from './http/nginx/engine.ts';

export function createEngines(): readonly Engine[] {
  return [
    createNginxEngine(),
    createMariadbEngine(),
    createMysqlEngine(),
    createPostgresqlEngine(),
    createNullDnsEngine(),
    createBindEngine(),
    createPowerdnsEngine(),
    createRfc2136Engine(),
    createWebhookEngine(),
  ];
}

// A change that is one run of SQL.
import type { Change } from '../../engine.ts';
import type { Client } from './client.ts';

export function statement(client: Client, summary: string, sql: string): Change {
  return {
    summary,
    run: async (ctx) => {
      await client.query(sql, summary, ctx.signal);
    },
  };
}

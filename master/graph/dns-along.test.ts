// A site on another server has the dns service there that tells people what to set; others stay.
import { expect, test } from 'vitest';
import { ids, server, service, snapshot } from '../../test/records.ts';
import { dnsThere } from './dns-along.ts';
import { createGraph } from './graph.ts';

const WEB2 = 'srv-0123456789abcde8';
const there = service('svc-0123456789abcde8', WEB2, 'dns', 'null', 0);
const bind = service('svc-0123456789abcde7', ids.web1, 'dns', 'bind', 53);
const graph = createGraph({
  ...snapshot,
  servers: [...snapshot.servers, server(WEB2, 'web2', '192.0.2.12')],
  services: [...snapshot.services, there, bind],
});

test.each([
  ['null of the server that it leaves', ids.dns, ids.web1, WEB2, there.id],
  ['the same server', ids.dns, ids.web1, ids.web1, undefined],
  ['a server without one', ids.dns, ids.web1, ids.db1, undefined],
  ['null of a third server', ids.dns, ids.db1, WEB2, undefined],
  ['a name server', bind.id, ids.web1, WEB2, undefined],
  ['none', undefined, ids.web1, WEB2, undefined],
])('%s', (_, bound, left, to, takes) => {
  expect(dnsThere(graph, bound, left, to)?.id).toBe(takes);
});

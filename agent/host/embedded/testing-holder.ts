// A process that holds an embedded host until it is killed: what embedded.daemon.test.ts starts and kills.
import { createEmbeddedHost } from './host.ts';

const host = await createEmbeddedHost(JSON.parse(process.argv[2] ?? '{}'));
const pools = await host.daemon('php-fpm@8.2');
await pools?.start();
console.log('holding');
setInterval(() => {}, 60_000);

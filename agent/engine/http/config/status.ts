// Asks the web server that runs which base file it has loaded.
import { get } from 'node:http';

/** No name of anybody (RFC 6761); asked with this one, the base server tells which configuration is loaded. */
export const STATUS_NAME = 'aegir.invalid';
export const STATUS_PATH = '/generation';

const ASK_MS = 3_000;
const GENERATION = /^[0-9a-f]{64}$/;

/** The first of the addresses that knows; undefined when none does. */
export async function askGeneration(addresses: readonly string[], port: number): Promise<string | undefined> {
  for (const address of addresses) {
    const answer = await ask(address, port);
    if (answer !== undefined && GENERATION.test(answer)) return answer;
  }
  return undefined;
}

function ask(host: string, port: number): Promise<string | undefined> {
  return new Promise((resolve) => {
    const headers = { host: STATUS_NAME, connection: 'close' };
    const request = get({ host, port, path: STATUS_PATH, headers, agent: false, timeout: ASK_MS }, (response) => {
      let body = '';
      response.setEncoding('utf8');
      response.on('data', (chunk: string) => {
        body = (body + chunk).slice(0, 1000);
      });
      response.on('end', () => resolve(response.statusCode === 200 ? body : undefined));
      response.on('error', () => resolve(undefined));
    });
    request.on('timeout', () => request.destroy());
    request.on('error', () => resolve(undefined));
    request.on('close', () => resolve(undefined));
  });
}

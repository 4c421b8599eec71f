// Asks a PHP-FPM pool for its ping page: one FastCGI request over its UNIX socket (FastCGI 1.0, sections 3 to 5).
import { connect } from 'node:net';

const VERSION = 1;
const BEGIN_REQUEST = 1;
const END_REQUEST = 3;
const PARAMS = 4;
const STDIN = 5;
const STDOUT = 6;
const RESPONDER = 1;
const HEADER = 8;
const MOST_ANSWER = 64 * 1024;

/** Body of the answer; undefined when nobody answers in time. */
export function pingPool(socket: string, path: string, timeoutMs: number): Promise<string | undefined> {
  return new Promise((resolve) => {
    let received: Buffer = Buffer.alloc(0);
    const connection = connect({ path: socket });
    const end = (answer: string | undefined): void => {
      clearTimeout(timer);
      connection.destroy();
      resolve(answer);
    };
    const timer = setTimeout(() => end(undefined), timeoutMs);
    connection.on('error', () => end(undefined));
    connection.on('close', () => end(undefined));
    connection.on('data', (chunk: Buffer) => {
      received = Buffer.concat([received, chunk]);
      const output = readOutput(received);
      if (output !== undefined) end(bodyOf(output));
      else if (received.length > MOST_ANSWER) end(undefined);
    });
    connection.write(encodeRequest(path));
  });
}

export function encodeRequest(path: string): Buffer {
  const params = { REQUEST_METHOD: 'GET', SCRIPT_NAME: path, SCRIPT_FILENAME: path, REQUEST_URI: path };
  const pairs = Object.entries({ ...params, QUERY_STRING: '', SERVER_PROTOCOL: 'HTTP/1.1' });
  const encoded = pairs.map(([name, value]) => Buffer.from([name.length, value.length, ...Buffer.from(name + value)]));
  return Buffer.concat([
    record(BEGIN_REQUEST, Buffer.from([0, RESPONDER, 0, 0, 0, 0, 0, 0])),
    record(PARAMS, Buffer.concat(encoded)),
    record(PARAMS, Buffer.alloc(0)),
    record(STDIN, Buffer.alloc(0)),
  ]);
}

function record(type: number, content: Buffer): Buffer {
  const header = Buffer.alloc(HEADER);
  header.writeUInt8(VERSION, 0);
  header.writeUInt8(type, 1);
  header.writeUInt16BE(1, 2);
  header.writeUInt16BE(content.length, 4);
  return Buffer.concat([header, content]);
}

/** What the application wrote, once the request has ended; undefined while it has not. */
export function readOutput(received: Buffer): string | undefined {
  const output: Buffer[] = [];
  for (let at = 0; at + HEADER <= received.length; ) {
    const type = received.readUInt8(at + 1);
    const length = received.readUInt16BE(at + 4);
    const next = at + HEADER + length + received.readUInt8(at + 6);
    if (next > received.length) return undefined;
    if (type === STDOUT) output.push(received.subarray(at + HEADER, at + HEADER + length));
    if (type === END_REQUEST) return Buffer.concat(output).toString('utf8');
    at = next;
  }
  return undefined;
}

function bodyOf(output: string): string {
  const split = output.indexOf('\r\n\r\n');
  return split < 0 ? '' : output.slice(split + 4);
}

// aegir api …: any method of the Admin API by its name, with JSON in and out, from the descriptors alone.
import type { MethodDefinition } from '@grpc/grpc-js';
import { loadFileDescriptorSetFromBuffer, type PackageDefinition } from '@grpc/proto-loader';
import type { Command } from 'commander';
import { AegirError } from '../../../shared/error.ts';
import { descriptors } from '../../../shared/gen/descriptors.ts';
import { printData, renderJson } from '../output.ts';
import type { Cli, GlobalOptions } from '../session.ts';

const MAX_INPUT_BYTES = 4 * 1024 * 1024;

interface MessageType {
  readonly name: string;
  readonly field: readonly { readonly name: string; readonly type: string; readonly typeName: string }[];
}

type AnyMethod = MethodDefinition<object, object> & { readonly requestType: { readonly type: MessageType } };

function loadAll(): PackageDefinition {
  return loadFileDescriptorSetFromBuffer(Buffer.from(descriptors, 'base64'), {
    longs: String,
    enums: String,
    bytes: String,
    defaults: true,
    oneofs: true,
  });
}

/** Methods of the Admin API by "Service/Method"; the agents' own services are not offered. */
export function loadMethods(): ReadonlyMap<string, AnyMethod> {
  const methods = new Map<string, AnyMethod>();
  for (const [service, definition] of Object.entries(loadAll())) {
    if ('format' in definition || service.endsWith('.AgentService') || service.endsWith('.EnrolService')) continue;
    for (const [name, method] of Object.entries(definition)) {
      methods.set(`${service.split('.').at(-1)}/${name}`, method as AnyMethod);
    }
  }
  return methods;
}

export function apiCommand(cli: Cli, program: Command): void {
  const noun = program.command('api').description('the Admin API itself');

  noun
    .command('list')
    .description('list its methods')
    .action((_, command: Command) => {
      const out = cli.out(command.optsWithGlobals<GlobalOptions>());
      const names = [...loadMethods().keys()].sort();
      if (out.format === 'table') out.stdout.write(`${names.join('\n')}\n`);
      else printData(out, names);
    });

  noun
    .command('call <method> [json]')
    .description(
      'call a method, for example: aegir api call SiteService/GetSite \'{"site": "example.org"}\'; - reads standard input',
    )
    .action(async (name: string, json: string | undefined, _, command: Command) => {
      const methods = loadMethods();
      const method = methods.get(name) ?? [...methods].find(([key]) => key.endsWith(`/${name}`))?.[1];
      if (method === undefined)
        throw new AegirError(
          'not_found',
          `cannot call ${JSON.stringify(name)}: there is no such method; see: aegir api list`,
        );
      const request = parse(json === '-' ? await readAll(cli.stdin) : (json ?? '{}'));
      checkFields(method.requestType.type, request);
      await cli.connected({ ...command.optsWithGlobals<GlobalOptions>(), output: 'json' }, async (link, out) => {
        if (!method.responseStream) {
          out.stdout.write(renderJson(await link.call(method, request), 2));
          return;
        }
        for await (const message of link.stream(method, request)) out.stdout.write(renderJson(message));
      });
    });
}

function parse(json: string): object {
  try {
    const value: unknown = JSON.parse(json);
    if (typeof value === 'object' && value !== null && !Array.isArray(value)) return value;
  } catch (cause) {
    throw new AegirError(
      'invalid_argument',
      `cannot use that request: ${cause instanceof Error ? cause.message : cause}`,
      { cause },
    );
  }
  throw new AegirError('invalid_argument', 'cannot use that request: a JSON object is needed');
}

function messageOf(typeName: string): MessageType | undefined {
  const name = Object.keys(loadAll()).find((key) => key === typeName || key.endsWith(`.${typeName}`));
  const found = name === undefined ? undefined : loadAll()[name];
  return found !== undefined && 'format' in found ? (found.type as unknown as MessageType) : undefined;
}

/** protobufjs leaves out what it does not know: {"options": {"planOnly": true}} would do it, not plan it. */
function checkFields(type: MessageType, request: object): void {
  for (const { name, type: kind, typeName } of type.field) {
    const value: unknown = (request as Record<string, unknown>)[name];
    const inner = kind === 'TYPE_MESSAGE' ? messageOf(typeName) : undefined;
    for (const each of Array.isArray(value) ? value : [value])
      if (inner !== undefined && typeof each === 'object' && each !== null) checkFields(inner, each);
  }
  const known = type.field.map((field) => field.name);
  const unknown = Object.keys(request).filter((name) => !known.includes(name));
  if (unknown.length === 0) return;
  const names = known.length === 0 ? 'it has none' : `there are ${known.join(', ')}`;
  throw new AegirError(
    'invalid_argument',
    `cannot use that request: ${type.name} has no ${unknown.join(', ')}; ${names}`,
  );
}

async function readAll(stream: NodeJS.ReadStream): Promise<string> {
  const parts: Buffer[] = [];
  let size = 0;
  for await (const part of stream) {
    size += part.length;
    if (size > MAX_INPUT_BYTES)
      throw new AegirError('invalid_argument', `cannot use that request: it is longer than ${MAX_INPUT_BYTES} bytes`);
    parts.push(Buffer.from(part));
  }
  return Buffer.concat(parts).toString('utf8');
}

// The health and reflection packages read their .proto files from disk when they are loaded; a single-file binary has no
// such files. While it is bundled, what they read is put in as JSON, parsed as they would parse it.
import { readFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import type { Plugin } from 'esbuild';
import protobuf from 'protobufjs';

interface Reader {
  /** The module that reads. */
  readonly module: RegExp;
  /** Directory of protos, relative to the module's. */
  readonly protos: string;
  readonly file: string;
  /** As the module has it; a name in another case would not be found. */
  readonly keepCase: boolean;
  /** The call, up to and including the argument that is a path. */
  readonly call: string;
  /** What is called instead, with the JSON. */
  readonly instead: string;
}

const READERS: readonly Reader[] = [
  {
    module: /grpc-health-check\/build\/src\/health\.js$/,
    protos: '../../proto',
    file: 'health/v1/health.proto',
    keepCase: true,
    call: "(0, proto_loader_1.loadSync)('health/v1/health.proto'",
    instead: '(0, proto_loader_1.fromJSON)',
  },
  ...['v1', 'v1alpha'].map((version) => ({
    module: new RegExp(`@grpc/reflection/build/src/implementations/reflection-${version}\\.js$`),
    protos: '../../proto',
    file: `grpc/reflection/${version}/reflection.proto`,
    keepCase: false,
    call: 'protoLoader.loadSync(protoPath',
    instead: 'protoLoader.fromJSON',
  })),
];

export const embedProtos: Plugin = {
  name: 'embed-protos',
  setup(build) {
    for (const { module, protos, file, keepCase, call, instead } of READERS) {
      build.onLoad({ filter: module }, ({ path }) => {
        const source = readFileSync(path, 'utf8');
        if (source.split(call).length !== 2)
          throw new Error(`build: ${path} does not read ${file} as expected; mend deploy/build/embed-protos.ts`);
        const text = readFileSync(join(dirname(path), protos, file), 'utf8');
        const { root } = protobuf.parse(text, { keepCase });
        const contents = source.replace(call, () => `${instead}(${JSON.stringify(root.toJSON())}`);
        return { contents, loader: 'js' };
      });
    }
  },
};

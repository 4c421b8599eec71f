// The health and reflection packages read their .proto files from disk when they are loaded; a single-file binary has no
// such files. While it is bundled, what they read is put in as the descriptor set that buf makes of it.
import { execFileSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import type { Plugin } from 'esbuild';

interface Reader {
  /** The module that reads. */
  readonly module: RegExp;
  /** Directory of protos, relative to the module's. */
  readonly protos: string;
  readonly file: string;
  /** The call, up to and including the argument that is a path. */
  readonly call: string;
  /** What calls instead, given the bytes. */
  readonly instead: string;
}

const LOAD = 'loadFileDescriptorSetFromBuffer';
const READERS: readonly Reader[] = [
  {
    module: /grpc-health-check\/build\/src\/health\.js$/,
    protos: '../../proto',
    file: 'health/v1/health.proto',
    call: "(0, proto_loader_1.loadSync)('health/v1/health.proto'",
    instead: `(0, proto_loader_1.${LOAD})`,
  },
  ...['v1', 'v1alpha'].map((version) => ({
    module: new RegExp(`@grpc/reflection/build/src/implementations/reflection-${version}\\.js$`),
    protos: '../../proto',
    file: `grpc/reflection/${version}/reflection.proto`,
    call: 'protoLoader.loadSync(protoPath',
    instead: `protoLoader.${LOAD}`,
  })),
];

export const embedProtos: Plugin = {
  name: 'embed-protos',
  setup(build) {
    for (const { module, protos, file, call, instead } of READERS) {
      build.onLoad({ filter: module }, ({ path }) => {
        const source = readFileSync(path, 'utf8');
        if (source.split(call).length !== 2)
          throw new Error(`build: ${path} does not read ${file} as expected; mend deploy/build/embed-protos.ts`);
        const root = join(dirname(path), protos);
        const bytes = execFileSync('buf', ['build', root, '--path', join(root, file), '--output', '-'], {
          env: { ...process.env, PATH: `${import.meta.dirname}/../../node_modules/.bin:${process.env['PATH']}` },
        });
        const contents = source.replace(call, () => `${instead}(Buffer.from('${bytes.toString('base64')}', 'base64')`);
        return { contents, loader: 'js' };
      });
    }
  },
};

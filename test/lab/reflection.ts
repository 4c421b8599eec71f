// Asks a master for its health and its services as any gRPC tool would, by the protos of the two standard services.
import { credentials, loadPackageDefinition, Metadata, type ServiceClientConstructor } from '@grpc/grpc-js';
import { loadSync } from '@grpc/proto-loader';

const modules = new URL('../../node_modules/', import.meta.url).pathname;
const REFLECTION = `${modules}@grpc/reflection/build/proto/grpc/reflection/v1/reflection.proto`;
const HEALTH = `${modules}grpc-health-check/proto/health/v1/health.proto`;
const TIMEOUT_MS = 10_000;

export interface Answers {
  /** SERVING, for example. */
  readonly health: string;
  readonly services: readonly string[];
}

export async function askStandardServices(address: string, ca: string, token: string): Promise<Answers> {
  const trust = credentials.createSsl(Buffer.from(ca), null, null, { checkServerIdentity: () => undefined });
  const metadata = new Metadata();
  metadata.set('authorization', `Bearer ${token}`);
  const client = (proto: string, path: readonly string[]) => {
    const loaded = loadPackageDefinition(loadSync(proto, { enums: String })) as unknown as Record<string, never>;
    const Service = path.reduce((at, name) => at[name] as never, loaded) as unknown as ServiceClientConstructor;
    return new Service(address, trust, { 'grpc.ssl_target_name_override': 'master.aegir.internal' });
  };
  const deadline = () => new Date(Date.now() + TIMEOUT_MS);
  const health = client(HEALTH, ['grpc', 'health', 'v1', 'Health']);
  const reflection = client(REFLECTION, ['grpc', 'reflection', 'v1', 'ServerReflection']);
  try {
    const status = await new Promise<string>((resolve, reject) => {
      health['check']?.({ service: '' }, metadata, { deadline: deadline() }, (error: Error | null, answer: unknown) => {
        if (error === null) resolve((answer as { status: string }).status);
        else reject(error);
      });
    });
    const services = await new Promise<string[]>((resolve, reject) => {
      const stream = reflection['ServerReflectionInfo']?.(metadata, { deadline: deadline() });
      stream.on('error', reject);
      stream.on('data', (answer: { listServicesResponse?: { service: { name: string }[] } }) => {
        resolve((answer.listServicesResponse?.service ?? []).map(({ name }) => name));
        stream.end();
      });
      stream.write({ listServices: '' });
    });
    return { health: status, services };
  } finally {
    health.close();
    reflection.close();
  }
}

// The mesh: a test of the way between two servers.
import { AegirError } from '../../shared/error.ts';
import type { ChangeResponse, TestMeshRequest } from '../../shared/gen/aegir/v1/admin.ts';
import { MAX_PROBE_BYTES } from '../../shared/grant.ts';
import { planTestMesh } from '../plan/mesh.ts';
import { change } from './change.ts';
import type { AdminDeps, Caller } from './deps.ts';

const DEFAULT_BYTES = 1024 * 1024;

export async function testMesh(deps: AdminDeps, caller: Caller, request: TestMeshRequest): Promise<ChangeResponse> {
  const bytes = request.bytes === 0n ? DEFAULT_BYTES : Number(request.bytes);
  if (bytes > MAX_PROBE_BYTES) {
    throw new AegirError('invalid_argument', `cannot test the mesh with so many bytes: at most ${MAX_PROBE_BYTES} go`);
  }
  const asked = {
    method: 'mesh.test' as const,
    sender: request.sender,
    receiver: request.receiver,
    bytes: String(bytes),
  };
  return change(deps, caller, request.options, asked, (graph) => {
    const [sender, receiver] = [graph.server(request.sender), graph.server(request.receiver)];
    if (sender.id === receiver.id) {
      throw new AegirError('invalid_argument', 'cannot test the mesh from a server to itself: name two servers');
    }
    for (const { name, state } of [sender, receiver]) {
      if (state === 'accepted') continue;
      const next = state === 'pending' ? `; run: aegir server accept ${name}` : '';
      throw new AegirError('failed_precondition', `cannot test the mesh: ${name} is ${state}${next}`);
    }
    return { plan: planTestMesh(graph, sender, receiver, bytes) };
  });
}

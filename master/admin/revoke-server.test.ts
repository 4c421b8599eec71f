// Revoking a server asks the mesh to end the server, not the key that its agent happened to name last.
import { expect, test, vi } from 'vitest';
import { RevokeServerRequest } from '../../shared/gen/aegir/v1/admin.ts';
import { openMasterApi } from '../../test/master-api.ts';
import { ids } from '../../test/records.ts';
import { revokeServer } from './revoke-server.ts';

test('the mesh is told of the server, after it is revoked, and again when it is asked again', async () => {
  const master = await openMasterApi();
  try {
    const states: (string | undefined)[] = [];
    const revokeMesh = vi.fn(async (id: string) => {
      states.push((await master.store.servers.get(id))?.state);
    });
    const deps = { ...master.deps, revokeMesh };
    const request = RevokeServerRequest.fromPartial({ server: ids.web1, confirm: true });
    await revokeServer(deps, request);
    await revokeServer(deps, request);
    expect(revokeMesh.mock.calls).toEqual([[ids.web1], [ids.web1]]);
    expect(states).toEqual(['revoked', 'revoked']);
  } finally {
    await master.close();
  }
});

// Accepting a server takes from it what it said, while it waited, of addresses of others.
import { expect, test } from 'vitest';
import { AcceptServerRequest } from '../../shared/gen/aegir/v1/admin.ts';
import { openMasterApi } from '../../test/master-api.ts';
import { facts, server } from '../../test/records.ts';
import { acceptServer } from './server.ts';

test('an address that an accepted server has is not that of one that waited', async () => {
  const master = await openMasterApi();
  try {
    const [first, second] = ['srv-0123456789abcde8', 'srv-0123456789abcde9'];
    const said = { ...facts('198.51.100.8'), addresses: ['198.51.100.8', '198.51.100.9'] };
    await master.store.transaction(async (tx) => {
      await tx.servers.insert(server(first, 'web8', '198.51.100.8'));
      await tx.servers.insert({ ...server(second, 'web9', ''), state: 'pending', facts: said });
    });
    await acceptServer(
      master.deps,
      { actor: 'root', role: 'admin' },
      AcceptServerRequest.fromPartial({ server: second }),
    );
    const accepted = await master.store.servers.get(second);
    expect(accepted).toMatchObject({ state: 'accepted', facts: { addresses: ['198.51.100.9'], sourceAddresses: [] } });
    expect((await master.store.servers.get(first))?.facts.addresses).toEqual(['198.51.100.8']);
  } finally {
    await master.close();
  }
});

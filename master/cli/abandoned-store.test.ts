// A person whose store's server is gone for good: told each backup that is lost, asked, and rid of it.
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { PassThrough } from 'node:stream';
import { expect, test } from 'vitest';
import { openMasterApi } from '../../test/master-api.ts';
import { ids, service, site } from '../../test/records.ts';
import { newBackup } from '../admin/backup-new.ts';
import { loadGraph } from '../admin/load.ts';
import { createProgram, runProgram } from './program.ts';
import { createCli } from './session.ts';

test('what is lost is told before it is asked, and nothing is forgotten without a yes', async () => {
  const master = await openMasterApi();
  try {
    const store = service('svc-0123456789abcdz1', ids.db1, 'file', 'mesh', 0);
    await master.store.services.insert(store);
    const made = {
      id: 'bak-0123456789abcdz1',
      store,
      reason: 'person' as const,
      taskId: '',
      takenAt: 1_700_000_000_000,
    };
    const backup = newBackup(await loadGraph(master.store), site, made);
    await master.store.backups.insert({ ...backup, state: 'ready' });
    await master.store.servers.update(ids.db1, { state: 'revoked' });
    writeFileSync(join(master.dir, 'ca.pem'), master.caPem);
    const env = {
      ...{ HOME: master.dir, AEGIR_ADDRESS: master.address, AEGIR_CA: join(master.dir, 'ca.pem') },
      AEGIR_TOKEN: await master.token(),
    };
    const aegir = async (...args: string[]) => {
      const [stdout, stderr, stdin] = [new PassThrough(), new PassThrough(), new PassThrough()];
      stdin.end();
      const said = (async () => {
        let text = '';
        for await (const part of stderr) text += String(part);
        return text;
      })();
      stdout.resume();
      const cli = createCli(env, stdin as never, stdout as never, stderr as never);
      const code = await runProgram(createProgram(cli, '0'), args, stderr as never);
      stdout.end();
      stderr.end();
      return { code, said: await said };
    };
    const remove = ['service', 'remove', 'db1/mesh', '--abandoned'];
    const lost = new RegExp(
      `lost: backup bak-0123456789abcdz1 of ${site.name.replaceAll('.', '\\.')}, taken 2023-11-14`,
    );
    const unasked = await aegir(...remove);
    expect([unasked.code === 0, unasked.said]).toEqual([false, expect.stringMatching(lost)]);
    expect(await master.store.backups.find()).toHaveLength(1);
    const agreed = await aegir(...remove, '--yes');
    expect([agreed.code, agreed.said]).toEqual([0, expect.stringMatching(lost)]);
    expect(await master.store.backups.find()).toEqual([]);
    expect(await master.store.services.get(store.id)).toBeUndefined();
  } finally {
    await master.close();
  }
});

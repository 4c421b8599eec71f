// The engine file/subversion: a directory of a Subversion repository. It keeps all history: what is removed gives no space
// back there.
import { createFileEngine, type FileEngine } from '../file-engine.ts';
import type { OpenScratch } from '../scratch.ts';
import { createSpooledStore } from '../spooled-store.ts';
import { localUrl } from './local.ts';
import { openSvnRepository } from './repository.ts';
import { openSvn, svnSettings } from './svn.ts';

/** Settings: url (svn://, https:// or file://), user. Secrets: password, ca. */
export function createSubversionEngine(openScratch: OpenScratch): FileEngine {
  return createFileEngine({
    name: 'subversion',
    // Its server may be anywhere: people declare it.
    detect: async () => [],
    judge: (service) => void svnSettings(service),
    async open(service, { host, signal }) {
      const settings = svnSettings(service);
      const scratch = await openScratch(host, signal);
      try {
        const local = settings.url.startsWith('file:') ? await localUrl(settings.url, scratch) : undefined;
        const svn = await openSvn(settings, scratch, local?.runsAs);
        return createSpooledStore(await openSvnRepository(svn, local?.url ?? settings.url, scratch), scratch);
      } catch (thrown) {
        await scratch.remove();
        throw thrown;
      }
    },
  });
}

// The engine file/git: a branch of a git repository. It keeps all history: what is removed gives no space back there.
import { createFileEngine, type FileEngine } from '../file-engine.ts';
import type { OpenScratch } from '../scratch.ts';
import { createSpooledStore } from '../spooled-store.ts';
import { openBranch } from './branch.ts';
import { openRepository } from './repository.ts';
import { gitSettings } from './settings.ts';

/**
 * Settings: url, branch (default aegir), user (https), host-key (ssh). Secrets: key or password (ssh), password (https),
 * ca (https).
 */
export function createGitEngine(openScratch: OpenScratch): FileEngine {
  return createFileEngine({
    name: 'git',
    // Its server may be anywhere: people declare it.
    detect: async () => [],
    judge: (service) => void gitSettings(service),
    async open(service, { host, signal }) {
      const settings = gitSettings(service);
      const scratch = await openScratch(host, signal);
      try {
        const repository = await openRepository(settings, scratch);
        try {
          return createSpooledStore(await openBranch(repository, settings.branch, scratch), scratch);
        } catch (thrown) {
          await repository.close();
          throw thrown;
        }
      } catch (thrown) {
        await scratch.remove();
        throw thrown;
      }
    },
  });
}

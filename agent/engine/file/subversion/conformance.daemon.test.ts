import { describeFileEngine } from '../../conformance/file.ts';
import { openSvnWorld } from '../../conformance/file-repositories.ts';
import { createScratches } from '../scratch.ts';
import { createSubversionEngine } from './engine.ts';

describeFileEngine({
  ...{
    name: 'subversion',
    createEngine: () => createSubversionEngine(createScratches()),
    prepares: false,
    sizes: true,
  },
  openWorld: openSvnWorld,
});

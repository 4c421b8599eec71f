// By key alone: passwords are ssh's business, and the suite of sftp has them.
import { describeFileEngine } from '../../conformance/file.ts';
import { openSshWorld } from '../../conformance/file-ssh-world.ts';
import { createScratches } from '../scratch.ts';
import { createScpEngine } from './engine.ts';

describeFileEngine({
  ...{
    name: 'scp',
    createEngine: () => createScpEngine(createScratches()),
    prepares: false,
    sizes: true,
    sweeps: true,
  },
  by: 'by key',
  openWorld: () => openSshWorld('key'),
});

// The app static: files and nothing else. No PHP runs, whatever lies there.
import type { App } from '../app.ts';
import { DEVELOPER_FILES } from '../developer-files.ts';
import { findDocroot } from '../docroot.ts';
import { planLinks } from '../planned-file.ts';

export function createStaticApp(): App {
  return {
    name: 'static',
    recognise: async (root, host) => {
      const docroot = await findDocroot(root, host, ['index.html', 'index.htm']);
      return docroot === undefined
        ? undefined
        : { app: 'static', version: '', docroot, phpMinimum: '', profiles: [], languages: [] };
    },
    web: (_platform, layout) => ({
      docroot: `${layout.docroot}/site`,
      deny: DEVELOPER_FILES,
      aliases: [{ prefix: '/files/', directory: `${layout.files}/` }],
      index: ['index.html', 'index.htm'],
      php: undefined,
    }),
    prepare: async (site, layout, { host }) => {
      // The document root is a link, so that where the platform keeps it is looked up here and not in the rules.
      const target =
        (await findDocroot(site.platform?.root ?? '', host, ['index.html', 'index.htm'])) ?? site.platform?.root ?? '';
      return planLinks(
        host,
        [{ path: `${layout.docroot}/site`, target }],
        [layout.docroot],
        `the site's files into ${layout.docroot}`,
      );
    },
    remove: async () => [],
  };
}

// What no site shows: backups, dumps, sources and the files of developers' tools.
import type { WebRules } from './app.ts';

export const DEVELOPER_FILES: WebRules['deny'] = [
  {
    pattern: '\\.(?:sql|sqlite|bak|old|orig|save|swp|swo|log|inc|dist|phar|ini|ya?ml)$',
    caseless: true,
    why: 'backups, dumps, logs, sources, configuration',
  },
  { pattern: '~$', why: 'backups of editors' },
  {
    pattern:
      '/(?:composer\\.(?:json|lock)|package(?:-lock)?\\.json|yarn\\.lock|pnpm-lock\\.yaml|Makefile|Dockerfile|README\\.md|CHANGELOG\\.md)$',
    caseless: true,
    why: 'files for developers',
  },
  { pattern: '^/(?:vendor|node_modules)/', why: 'code, no pages' },
  // Pages may have such addresses too.
  { pattern: '^/(?:src|tests?)/.*\\.php[0-9]?$', caseless: true, why: 'code, no pages' },
];

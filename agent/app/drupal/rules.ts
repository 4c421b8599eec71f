// What the web may see of a Drupal site: the rules of core's own .htaccess (7 and 8 and later together: the rules do not
// know the version), made stricter where Aegir does what a script was for.
import type { PlatformSpec } from '../../../shared/gen/aegir/v1/spec.ts';
import type { SiteLayout } from '../../host/site-layout.ts';
import type { WebRules } from '../app.ts';
import { codeLink, prependPath, siteName } from './places.ts';

export function drupalRules(platform: PlatformSpec, layout: SiteLayout): WebRules {
  const site = siteName(layout);
  return {
    docroot: codeLink(layout),
    deny: [
      {
        // The code base is shared: without this a site would hand out the uploads of all others.
        pattern: `^/sites/(?!(?:all|${site})/)`,
        why: 'directories of other sites',
      },
      { pattern: `^/sites/${site}/(?!(?:files|modules|themes|libraries)(?:/|$))`, why: 'settings of the site' },
      { pattern: '^/sites/[^/]+/(?:files/)?(?:private|php|config_[^/]*|tmp)/', why: 'private files' },
      {
        pattern:
          '\\.(?:engine|inc|info|install|make|module|profile|test|po|sh|[^/]*sql|theme|twig|tpl(?:\\.php)?|xtmpl|ya?ml)(?:~|\\.sw[op]|\\.bak|\\.orig|\\.save)?$',
        caseless: true,
        why: 'sources and templates, as in .htaccess of Drupal',
      },
      {
        pattern: '\\.(?:php|settings)(?:~|\\.sw[op]|\\.bak|\\.orig|\\.save|\\.old|\\.dist|_)$',
        caseless: true,
        why: 'backups of sources',
      },
      {
        pattern: '(?:~|\\.sw[op]|\\.bak|\\.orig|\\.rej|\\.patch)$|/#[^/]*#$',
        caseless: true,
        why: 'backups of editors',
      },
      { pattern: '\\.(?:sqlite|phar|sql\\.(?:gz|bz2|xz|zst|zip))$', caseless: true, why: 'dumps and archives of code' },
      {
        pattern:
          '/(?:Entries[^/]*|Repository|Root|Tag|Template|composer\\.(?:json|lock)|web\\.config|yarn\\.lock|package(?:-lock)?\\.json|pnpm-lock\\.yaml|phpunit\\.xml(?:\\.dist)?)$',
        why: 'files for developers, as in .htaccess of Drupal',
      },
      {
        pattern:
          '^/(?:core/)?(?:CHANGELOG|COPYRIGHT|D7ES_CHANGELOG|INSTALL(?:\\.[a-z]+)?|LICENSE|MAINTAINERS|README|UPGRADE|USAGE)\\.(?:txt|md)$',
        why: 'tells the version',
      },
      { pattern: '^/(?:vendor|node_modules)/', why: 'code, no pages' },
      {
        // Also as a beginning: update.php takes steps as path.
        pattern: '^/(?:core/)?(?:install|update|authorize|rebuild)\\.php(?:/|$)',
        caseless: true,
        why: 'installed and updated by Aegir, not from the web',
      },
    ],
    aliases: [{ prefix: `/sites/${site}/files/`, directory: `${layout.files}/` }],
    index: ['index.php'],
    // Pages may leave aggregated styles and scripts among the files, so that heads answer alone for what lies there.
    spread: {
      paths: [
        '^/sites/[^/]+/files/',
        '^/(?:core|misc|modules|themes|profiles|libraries|sites/[^/]+/(?:modules|themes|libraries))/.*\\.(?:css|js|mjs|map|json|png|jpe?g|gif|svg|webp|avif|ico|woff2?|ttf|otf|eot|mp[34]|webm|pdf)$',
      ],
      except: [],
      cookies: ['SESS', 'SSESS'],
    },
    php: {
      // statistics.php counts views; cron.php (7) has a key; xmlrpc.php (7) is open in core's rules.
      scripts: ['^/(?:index|cron|xmlrpc)\\.php$', '^/(?:core/)?modules/statistics/statistics\\.php$'],
      frontController: '/index.php',
      prepend: prependPath(layout),
      openBasedir: [platform.root],
    },
  };
}

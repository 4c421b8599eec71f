// What the web may see of a WordPress site. Entry points are listed; all other PHP is denied.
import type { PlatformSpec } from '../../../shared/gen/aegir/v1/spec.ts';
import type { SiteLayout } from '../../host/site-layout.ts';
import type { WebRules } from '../app.ts';
import { prependPath } from './settings.ts';

/** What Debian's package links to outside of its own directory. */
const DEBIAN_ROOT = '/usr/share/wordpress';
const DEBIAN_LINKED = ['/usr/share/php', '/usr/share/javascript', '/etc/ssl/certs'];

export function wordpressRules(platform: PlatformSpec, layout: SiteLayout): WebRules {
  return {
    docroot: layout.docroot,
    code: platform.root,
    deny: [
      {
        pattern: '^/wp-admin/(?:install|setup-config)\\.php$',
        why: 'the site is installed by Aegir, not from the web',
      },
      { pattern: '^/wp-content/(?:upgrade|cache)(?:/|$)', why: 'of whoever had the code before: none of the site' },
      { pattern: '^/wp-admin/includes/', why: 'parts of the administration, no pages' },
      {
        pattern: '^/(?:readme\\.html|license\\.txt|wp-config.*)$',
        caseless: true,
        why: 'tells the version, or is configuration',
      },
      {
        pattern: '\\.(?:sql|sqlite|bak|old|orig|save|swp|swo|log|inc|dist|po|phar)$',
        caseless: true,
        why: 'backups, dumps, logs, sources',
      },
      { pattern: '~$', why: 'backups of editors' },
      {
        pattern:
          '/(?:composer\\.(?:json|lock)|package(?:-lock)?\\.json|yarn\\.lock|pnpm-lock\\.yaml|phpunit\\.xml.*|Gruntfile\\.js)$',
        caseless: true,
        why: 'files for developers',
      },
    ],
    aliases: [{ prefix: '/wp-content/uploads/', directory: `${layout.files}/` }],
    index: ['index.php', 'index.html'],
    // Pages write nothing by WordPress itself; the administration, logins, feeds of mail and its API may.
    spread: {
      paths: ['^/'],
      except: ['^/wp-admin(?:/|$)', '^/(?:wp-[a-z-]+|xmlrpc)\\.php(?:/|$)'],
      cookies: ['wordpress_logged_in_', 'wordpress_sec_', 'wp-postpass_'],
    },
    php: {
      scripts: [
        '^/(?:index|wp-login|wp-comments-post|wp-cron|wp-activate|wp-signup|wp-trackback|wp-links-opml|xmlrpc)\\.php$',
        '^/wp-admin/(?:network/|user/)?[a-z0-9-]+\\.php$',
        '^/wp-includes/js/tinymce/wp-tinymce\\.php$',
      ],
      frontController: '/index.php',
      prepend: prependPath(layout),
      openBasedir: platform.root === DEBIAN_ROOT ? [platform.root, ...DEBIAN_LINKED] : [platform.root],
    },
  };
}

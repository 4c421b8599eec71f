// The contract of apps: what a platform runs. An app knows its code base, its settings, its installer and
// which paths the web may see; it knows nothing of any web server. The rules of engine.ts hold here too, and:
// the app's own code (wp, drush, PHP of the site) runs as the site's system user, never as root.
import type { PlatformFacts } from '../../shared/gen/aegir/v1/agent.ts';
import type { PlatformSpec, SiteSpec } from '../../shared/gen/aegir/v1/spec.ts';
import type { AppName } from '../../shared/vocabulary.ts';
import type { ActionContext, Change } from '../engine/engine.ts';
import type { Host } from '../host/host.ts';
import type { SiteLayout } from '../host/site-layout.ts';
import type { PhpRun } from './php-cli.ts';

/**
 * What the web may see of a site, for any http engine to render. Patterns are PCRE on the decoded path, which
 * begins with "/"; they are matched case-insensitively where caseless is true. Order of evaluation: deny first (404 for
 * what must not be known to exist), then php, then noPhp files, then static files, then the front controller.
 */
export interface WebRules {
  readonly docroot: string;
  /**
   * Where files of the document root are handed out from, where docroot has them by links of ours; PHP runs by docroot. In
   * what is handed out, links to what another user owns are not followed: those of ours would be such.
   */
  readonly code?: string;
  /** Paths that are answered 404 whatever they are. Dotfiles but /.well-known are always denied, by the engine. */
  readonly deny: readonly {
    readonly pattern: string;
    readonly caseless?: boolean;
    readonly why: string;
  }[];
  /** Paths served from elsewhere: URI prefix (with slashes at both ends) to absolute directory (slash at the end). Never PHP. */
  readonly aliases: readonly {
    readonly prefix: string;
    readonly directory: string;
  }[];
  /** undefined: no PHP at all. */
  readonly php: PhpRules | undefined;
  /** Names tried for a directory, in order. */
  readonly index: readonly string[];
  /** Which requests any head of a cluster may answer whose heads have files of their own; undefined: all. */
  readonly spread?: SpreadRules;
}

/** All that a request may leave files by goes to one head of them: the rules name what surely does not. */
export interface SpreadRules {
  /** Patterns of paths that any head may answer for GET and HEAD. Empty: all goes to the one that takes writes. */
  readonly paths: readonly string[];
  /** Patterns of paths among these that it may not. */
  readonly except: readonly string[];
  /** Beginnings of names of cookies: who has one of these is logged in, and comes to the one that takes writes. */
  readonly cookies: readonly string[];
}

export interface PhpRules {
  /** Patterns of the scripts that may run; any other path that ends in .php is denied. */
  readonly scripts: readonly string[];
  /** Script, as path from the docroot, that gets every path which is no file; undefined answers 404. */
  readonly frontController: string | undefined;
  /** auto_prepend_file of the pool; absolute. */
  readonly prepend?: string;
  /** Absolute directories the pool may open besides the site's own directories. */
  readonly openBasedir: readonly string[];
}

export type InstallState = 'absent' | 'partial' | 'installed';

export interface App {
  readonly name: AppName;
  /** Facts of the code base at root; undefined when it is not of this app. Reads only. */
  recognise(root: string, host: Host): Promise<PlatformFacts | undefined>;
  /** What the web may see. Pure. */
  web(platform: PlatformSpec, layout: SiteLayout): WebRules;
  /** Settings and links of the site on this host; its user and directories (site-layout.ts) are there already. Empty when as declared. */
  prepare(site: SiteSpec, layout: SiteLayout, ctx: ActionContext): Promise<readonly Change[]>;
  /** What prepare made outside of the site's own directories (a Drupal sites.php entry); those go with the site's root. */
  remove(site: SiteSpec, layout: SiteLayout, ctx: ActionContext): Promise<readonly Change[]>;
}

/** Apps with an installer of their own (drupal, wordpress). */
export interface Installing {
  /** What a look at the site's database says. */
  installState(site: SiteSpec, layout: SiteLayout, ctx: ActionContext): Promise<InstallState>;
  /** Empties the site's own database, after a crashed install. Refuses when installState is "installed". */
  wipe(site: SiteSpec, layout: SiteLayout, ctx: ActionContext): Promise<void>;
  /** Runs the installer; the database is empty. */
  install(site: SiteSpec, layout: SiteLayout, ctx: ActionContext): Promise<void>;
  /** A link that logs in once and ends by itself. The link is a secret. */
  loginLink(
    site: SiteSpec,
    account: string,
    layout: SiteLayout,
    ctx: ActionContext,
  ): Promise<{ readonly url: string; readonly expiresAt: Date }>;
}

/** What cron needs to know of a site; both HttpSpec and SiteSpec say it. */
export interface CronSite {
  readonly id: string;
  readonly name: string;
  readonly url: string;
  readonly platform: PlatformSpec;
}

/** Apps with something to do now and then (drupal, wordpress, php). */
export interface Periodic {
  /**
   * Does what is due, by PHP as run says, and answers in a few words what that was; undefined when the site's code has
   * nothing to run. Throws with the end of what the code said. What visitors do must not do it, too.
   */
  cron(site: CronSite, layout: SiteLayout, run: PhpRun, ctx: ActionContext): Promise<string | undefined>;
  /** Files with the site's secrets as PHP: they are kept out of what is told of a run. */
  secretFiles(layout: SiteLayout): readonly string[];
}

/** The site that content was copied from. */
export interface Origin {
  /** Without a slash at its end. */
  readonly url: string;
  /** Its further host names. */
  readonly names: readonly string[];
  /** Its id, which stands in paths; empty for that of the site itself. */
  readonly siteId: string;
}

/** Apps that keep a site's own names among its content (wordpress, drupal). */
export interface Rewriting {
  /**
   * The content was copied from a site at another URL: says the site's own URL and names instead, serialised values
   * too, and throws away what was computed from the old ones. May be repeated; touches nothing when there is nothing.
   */
  rewrite(site: SiteSpec, from: Origin, layout: SiteLayout, ctx: ActionContext): Promise<void>;
}

/** Apps whose database is brought to the code of a newer platform (drupal, wordpress). */
export interface Upgrading {
  /** May be repeated; touches nothing but caches when there is nothing to do. Throws with the end of what the code said. */
  upgrade(site: SiteSpec, layout: SiteLayout, ctx: ActionContext): Promise<void>;
}

export function canRewrite(app: App): app is App & Rewriting {
  return 'rewrite' in app;
}

export function canUpgrade(app: App): app is App & Upgrading {
  return 'upgrade' in app;
}

export function hasCron(app: App): app is App & Periodic {
  return 'cron' in app;
}

export function canInstall(app: App): app is App & Installing {
  return 'install' in app;
}

// The one list of apps, in the order in which a code base is recognised: the plainest last.
import type { App } from './app.ts';
import { createDrupalApp } from './drupal/app.ts';
import { createPhpApp } from './php/app.ts';
import { createStaticApp } from './static/app.ts';
import { createWordpressApp } from './wordpress/app.ts';

export function createApps(): readonly App[] {
  return [createDrupalApp(), createWordpressApp(), createPhpApp(), createStaticApp()];
}

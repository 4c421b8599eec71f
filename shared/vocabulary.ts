// The closed sets of words that both sides check against, and what the master must know of an app to plan.

export const SERVICE_TYPES = ['http', 'db', 'dns', 'file'] as const;
export type ServiceType = (typeof SERVICE_TYPES)[number];

export const APPS = {
  drupal: { db: 'required' },
  wordpress: { db: 'required' },
  php: { db: 'optional' },
  static: { db: 'none' },
} as const satisfies Record<string, { readonly db: 'required' | 'optional' | 'none' }>;
export type AppName = keyof typeof APPS;

export const ROLES = ['viewer', 'operator', 'admin'] as const;
export type Role = (typeof ROLES)[number];

export function isServiceType(text: string): text is ServiceType {
  return (SERVICE_TYPES as readonly string[]).includes(text);
}

export function isAppName(text: string): text is AppName {
  return Object.hasOwn(APPS, text);
}

export function isRole(text: string): text is Role {
  return (ROLES as readonly string[]).includes(text);
}

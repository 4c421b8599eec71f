// What a service of a server is called there: by its engine alone, or one of several by its instance, too.

/** "mariadb", "mesh:offsite". */
export function nameOnServer({ engine, instance }: { readonly engine: string; readonly instance: string }): string {
  return instance === '' ? engine : `${engine}:${instance}`;
}

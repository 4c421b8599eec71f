// The base configuration of one PHP-FPM master of an embedded server. Pure; pools come from the include directory.

export interface PhpFpmLayout {
  readonly version: string;
  readonly run: string;
  readonly log: string;
  readonly includeDir: string;
}

export function renderPhpFpmConf(layout: PhpFpmLayout): string {
  return `; Made by Aegir at every start; changes are lost. Pools are in ${layout.includeDir}.
[global]
pid = ${layout.run}/php-fpm-${layout.version}.pid
error_log = ${layout.log}
log_level = notice
daemonize = no
; A reload lets running requests end.
process_control_timeout = 10s
include = ${layout.includeDir}/*.conf
`;
}

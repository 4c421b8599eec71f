// The base configuration of an embedded server's nginx. Pure; sites come from the include directory.

export interface NginxLayout {
  readonly run: string;
  readonly temporary: string;
  readonly includeDir: string;
  readonly addresses: readonly string[];
  readonly port: number;
}

export function renderNginxConf(layout: NginxLayout): string {
  const temporary = ['client_body', 'proxy', 'fastcgi', 'uwsgi', 'scgi'];
  return `# Made by Aegir at every start; changes are lost. Sites are in ${layout.includeDir}.
daemon off;
worker_processes 2;
# Who waits for a site that moves, ten minutes at most, and what takes ten minutes then outlive each reload.
worker_shutdown_timeout 25m;
pid ${layout.run}/nginx.pid;
error_log stderr notice;

events {
  worker_connections 512;
}

http {
  include /etc/nginx/mime.types;
  default_type application/octet-stream;
  access_log off;
  server_tokens off;
  sendfile on;
  keepalive_timeout 30s;
  server_names_hash_bucket_size 512;
  server_names_hash_max_size 4096;
${temporary.map((kind) => `  ${kind}_temp_path ${layout.temporary}/${kind};`).join('\n')}

  server {
${layout.addresses.map((address) => `    listen ${listenAt(address, layout.port)} default_server;`).join('\n')}
    server_name _;
    return 404;
  }

  include ${layout.includeDir}/*.conf;
}
`;
}

/** IPv6 addresses stand in brackets. */
function listenAt(address: string, port: number): string {
  return address.includes(':') ? `[${address}]:${port}` : `${address}:${port}`;
}

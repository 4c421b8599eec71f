#!/bin/sh
# setup.sh up|test: makes a machine ready for `npm run up` or `npm test`: Debian packages and node_modules.
# Runs before either by itself (preup, pretest). What is there already is left alone; nothing is started.
set -eu
cd "$(dirname "$0")/../.."

common="nginx-light mariadb-server php-fpm php-cli php-mysql php-xml php-gd php-mbstring php-curl php-zip php-intl \
wordpress wordpress-theme-twentytwentythree nats-server openssl ca-certificates"
for_tests="postgresql postgresql-contrib php-pgsql php-sqlite3 mmdebstrap systemd-container nftables iproute2 bind9 \
bind9-dnsutils knot pdns-server pdns-backend-sqlite3 apache2-bin media-types haproxy curl git openssh-client openssh-server cron at subversion casync procps xz-utils patchelf libatomic1 pebble"

case "${1:-up}" in
  up) wanted=$common ;;
  test) wanted="$common $for_tests" ;;
  *) echo "usage: setup.sh up|test" >&2; exit 2 ;;
esac

installed() { dpkg-query -W -f='${Status}' "$1" 2>/dev/null | grep -q 'ok installed'; }

# Any nginx does; which flavour is the machine's business.
have() {
  case "$1" in
    nginx-light) [ -x /usr/sbin/nginx ] ;;
    mariadb-server) [ -x /usr/sbin/mariadbd ] ;;
    *) installed "$1" ;;
  esac
}

missing=""
for package in $wanted; do have "$package" || missing="$missing $package"; done

if [ -n "$missing" ]; then
  if ! command -v apt-get >/dev/null 2>&1; then
    echo "setup: cannot install$missing: this machine has no apt-get; install them by its own means, then run this again" >&2
    exit 1
  fi
  if [ "$(id -u)" != 0 ]; then
    echo "setup: cannot install Debian packages: root is needed for that. Run this line, then the same command again:" >&2
    echo "  sudo apt-get update && sudo apt-get install -y --no-install-recommends$missing" >&2
    exit 1
  fi
  echo "setup: installing$missing"
  # Daemons are started privately by Aegir, under one directory: the packages' own services must not start here.
  guard=/usr/sbin/policy-rc.d
  made_guard=no
  if [ ! -e "$guard" ]; then
    printf '#!/bin/sh\nexit 101\n' >"$guard"
    chmod 755 "$guard"
    made_guard=yes
  fi
  log=$(mktemp)
  trap 'rm -f "$log"; [ "$made_guard" = no ] || rm -f "$guard"' EXIT
  # shellcheck disable=SC2086 # a list of package names
  if ! { apt-get update -q && DEBIAN_FRONTEND=noninteractive apt-get install -q -y --no-install-recommends $missing; } >"$log" 2>&1; then
    tail -n 30 "$log" >&2
    echo "setup: cannot install$missing: apt-get failed, see above" >&2
    exit 1
  fi
  # Nor at the next boot: what we brought is disabled again, what was there stays as it was.
  if [ -d /run/systemd/system ]; then
    for package in $missing; do
      case "$package" in
        nginx-light) units=nginx ;;
        mariadb-server) units=mariadb ;;
        php-fpm) units=$(cd /lib/systemd/system && ls -d php*-fpm.service 2>/dev/null || true) ;;
        bind9) units=named ;;
        pdns-server) units=pdns ;;
        openssh-server) units=ssh ;;
        at) units=atd ;;
        nats-server | postgresql | knot | cron) units=$package ;;
        *) continue ;;
      esac
      for unit in $units; do systemctl disable --quiet "$unit" || true; done
    done
  fi
fi

lock=$(sha256sum package-lock.json | cut -d' ' -f1)
if [ "$(cat node_modules/.aegir-lock 2>/dev/null || true)" != "$lock" ]; then
  if ! command -v npm >/dev/null 2>&1; then
    echo "setup: cannot install node_modules: npm is missing; run: apt-get install npm" >&2
    exit 1
  fi
  echo "setup: installing node_modules"
  npm ci --no-audit --no-fund --loglevel=error
  echo "$lock" >node_modules/.aegir-lock
fi

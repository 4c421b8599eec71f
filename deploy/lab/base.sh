#!/bin/bash
# base.sh: the root file system that all lab hosts share as their lower layer: Debian, systemd and the daemons that Aegir
# drives, and no Node. Built once, kept under a name made from the package list; prints its path.
set -euo pipefail
LAB=${AEGIR_LAB_DIR:-/var/tmp/aegir-lab}
PACKAGES=systemd,systemd-sysv,dbus,libpam-systemd,iproute2,iputils-ping,procps,ca-certificates,curl,openssh-server,cron,\
nginx-light,mariadb-server,php8.2-fpm,php8.2-cli,php8.2-mysql,php8.2-xml,php8.2-gd,php8.2-mbstring,php8.2-curl,php8.2-zip,\
php8.2-opcache,php8.2-intl,wordpress,wordpress-theme-twentytwentythree,haproxy,nats-server,apache2,bind9,bind9-dnsutils,nftables,netcat-openbsd,openssl,xz-utils
id=$(printf '%s' "$PACKAGES" | sha256sum | cut -c1-12)
base=$LAB/base-$id
if [ ! -e "$base/.aegir-complete" ]; then
  mkdir -p "$LAB"
  exec 9>"$LAB/base.lock"
  flock 9
  if [ ! -e "$base/.aegir-complete" ]; then
    work=$base.new
    rm -rf "$base" "$work"
    mkdir -p "$work/empty" "$work/up" "$work/wk" "$work/root"
    echo "lab: building the base image, once (about two minutes)" >&2
    log=$LAB/base.log
    # dpkg waits for the disk at each file and package, which takes longer than all else: volatile makes nobody wait.
    if ! unshare --mount --propagation private bash -ec '
      mount -t overlay overlay -o "volatile,lowerdir=$1/empty,upperdir=$1/up,workdir=$1/wk" "$1/root"
      exec mmdebstrap --variant=minbase --include="$2" --aptopt="Acquire::Languages \"none\"" bookworm "$1/root"
    ' _ "$work" "$PACKAGES" >"$log" 2>&1; then
      tail -n 30 "$log" >&2
      echo "lab: cannot build the base image: mmdebstrap failed, see $log" >&2
      exit 1
    fi
    mv "$work/up" "$base"
    rm -rf "$work"
    : >"$base/etc/resolv.conf"
    # nats-server of the package would take the mesh node's port; Aegir runs its own node.
    rm -f "$base/etc/systemd/system/multi-user.target.wants/nats-server.service"
    # Two more that not every host shall run: Apache would take the port of nginx. `systemctl enable --now` where wanted.
    for unit in apache2 named; do rm -f "$base/etc/systemd/system/multi-user.target.wants/$unit.service"; done
    rm -f "$base/etc/systemd/system/bind9.service"
    touch "$base/.aegir-complete"
  fi
fi
echo "$base"

#!/bin/bash
# host.sh: one lab host = network namespace + veth on a bridge + overlay file system + systemd-nspawn --boot.
#   host.sh net-up | net-down
#   host.sh up NAME IP BASE     start; keeps the host's disk, so that a restart finds it as it was
#                               (NSPAWN_ARGS='--bind-ro=/src:/dst' adds mounts)
#   host.sh wait NAME           until its systemd is running (or degraded)
#   host.sh exec NAME CMD...    run in the host, with the capabilities of a container
#   host.sh crash NAME          power loss: link down, SIGKILL of its PID 1
#   host.sh stop NAME           orderly power-off
#   host.sh cut|heal NAME       link down / up
#   host.sh slow NAME RATE|off  rate limit, both ways, for example 1mbit
#   host.sh loss NAME PCT|off   random loss of packets to the host, per cent
#   host.sh rm NAME             crash and delete its disk
#   host.sh list                NAME IP up|down
set -euo pipefail
LAB=${AEGIR_LAB_DIR:-/var/tmp/aegir-lab}
BRIDGE=${AEGIR_LAB_BRIDGE:-aegir0}
GATEWAY=${AEGIR_LAB_GATEWAY:-10.99.0.1}
HOSTS=${AEGIR_LAB_HOSTS:-$LAB/hosts}

# PID 1 of a host, as seen from here: the child of its nspawn that is 1 in its own namespace.
leader() {
  local nspawn child
  nspawn=$(cat "$HOSTS/$1/nspawn.pid" 2>/dev/null) || return 1
  # After a reboot of the machine the number may be another program's.
  [ "$(cat "/proc/$nspawn/comm" 2>/dev/null)" = systemd-nspawn ] && grep -qs "^State:.[^Z]" "/proc/$nspawn/status" || return 1
  for child in $(pgrep -P "$nspawn"); do
    if [ "$(awk '/^NSpid/{print $NF}' "/proc/$child/status")" = 1 ]; then echo "$child"; return 0; fi
  done
  return 1
}
need() { leader "$1" || { echo "lab: $1 is not up" >&2; exit 1; }; }
gone() { # wait until nspawn of host $1 has ended, at most 20 s
  local nspawn; nspawn=$(cat "$HOSTS/$1/nspawn.pid")
  for _ in $(seq 400); do grep -qs "^State:.[^Z]" "/proc/$nspawn/status" || return 0; sleep .05; done
  echo "lab: $1 does not end" >&2; return 1
}

case ${1:-} in
net-up)
  ip link show "$BRIDGE" >/dev/null 2>&1 || { ip link add "$BRIDGE" type bridge; ip addr add "$GATEWAY/24" dev "$BRIDGE"; ip link set "$BRIDGE" up; } ;;
net-down) if ip link show "$BRIDGE" >/dev/null 2>&1; then ip link del "$BRIDGE"; fi ;;
up)
  n=$2 ip=$3 base=$4; d=$HOSTS/$n
  if leader "$n" >/dev/null; then echo "lab: $n is up already" >&2; exit 1; fi
  mkdir -p "$d/up" "$d/wk" "$d/root"; echo "$ip" >"$d/ip"
  if ! ip netns list | grep -qw "^$n"; then
    ip netns add "$n"
    ip link add "v-$n" type veth peer name eth0 netns "$n"
    ip link set "v-$n" master "$BRIDGE" up
    ip -n "$n" addr add "$ip/24" dev eth0; ip -n "$n" link set lo up; ip -n "$n" link set eth0 up
    ip -n "$n" route add default via "$GATEWAY"
  fi
  ip link set "v-$n" up
  # In a private mount and cgroup namespace: overlay and cgroup2 vanish with the host. cgroup v1 machines hide v2 elsewhere.
  setsid unshare --mount --cgroup --propagation private bash -c '
    set -e; d=$1 n=$2 base=$3
    umount -R /sys/fs/cgroup; mount -t cgroup2 cgroup2 /sys/fs/cgroup
    mkdir -p /sys/fs/cgroup/lab-$n; echo $$ >/sys/fs/cgroup/lab-$n/cgroup.procs
    # volatile: nobody waits for the disk of the machine, whose power these disks do not outlive. A host that was killed
    # leaves a mark that forbids to mount them again.
    rm -rf $d/wk/work/incompat
    mount -t overlay overlay -o volatile,lowerdir=$base,upperdir=$d/up,workdir=$d/wk $d/root
    echo $n >$d/root/etc/hostname
    exec env SYSTEMD_NSPAWN_UNIFIED_HIERARCHY=1 systemd-nspawn --quiet --boot --directory=$d/root --machine=$n --hostname=$n \
      $4 --register=no --keep-unit --network-namespace-path=/run/netns/$n --resolv-conf=off --timezone=off \
      --capability=CAP_NET_ADMIN --link-journal=no --console=pipe
  ' _ "$d" "$n" "$base" "${NSPAWN_ARGS:-}" </dev/null >"$d/console.log" 2>&1 9>&- &
  echo $! >"$d/nspawn.pid" ;;
wait)
  state=starting
  # A machine that is busy with other things takes its time. systemd is asked to tell: asking it again and again would take
  # the processors from the hosts that start.
  SECONDS=0
  while [ $SECONDS -lt 300 ]; do
    if p=$(leader "$2"); then
      state=$(timeout $((301 - SECONDS)) nsenter -t "$p" -a systemctl is-system-running --wait 2>/dev/null || true)
      case $state in running | degraded) echo "$state"; exit 0 ;; esac
    fi
    sleep 0.5
  done
  echo "lab: $2 is not up after 300 s (${state:-no answer}); see $HOSTS/$2/console.log" >&2; exit 1 ;;
pid) need "$2" ;;
exec)
  p=$(need "$2"); shift 2
  # A plain nsenter would keep all capabilities: `date -s` in a host would set the machine's clock.
  exec nsenter -t "$p" -a setpriv --bounding-set -sys_time,-sys_module,-sys_rawio,-sys_boot,-mac_admin,-mac_override,-syslog,-wake_alarm,-block_suspend,-audit_read,-perfmon,-bpf,-checkpoint_restore,-sys_pacct \
    env -i PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin HOME=/root TERM=dumb LANG=C.UTF-8 "$@" ;;
crash) p=$(need "$2"); ip link set "v-$2" down; kill -9 "$p"; gone "$2" ;;
stop) p=$(need "$2"); nsenter -t "$p" -a systemctl poweroff; gone "$2" ;;
cut) ip link set "v-$2" down ;;
heal) ip link set "v-$2" up; ip -n "$2" route replace default via "$GATEWAY" ;;
slow)
  tc qdisc del dev "v-$2" root 2>/dev/null || true; ip netns exec "$2" tc qdisc del dev eth0 root 2>/dev/null || true
  [ "$3" = off ] || { tc qdisc add dev "v-$2" root tbf rate "$3" burst 16kb latency 400ms; ip netns exec "$2" tc qdisc add dev eth0 root tbf rate "$3" burst 16kb latency 400ms; } ;;
loss)
  nft delete table netdev "loss_$2" 2>/dev/null || true
  [ "$3" = off ] || { nft add table netdev "loss_$2"; nft "add chain netdev loss_$2 e { type filter hook egress device v-$2 priority 0; }"
    nft "add rule netdev loss_$2 e numgen random mod 100 < $3 drop"; } ;;
rm)
  if leader "$2" >/dev/null; then "$0" crash "$2"; fi
  ip netns del "$2" 2>/dev/null || true; ip link del "v-$2" 2>/dev/null || true
  nft delete table netdev "loss_$2" 2>/dev/null || true
  for root in /sys/fs/cgroup/unified /sys/fs/cgroup; do [ ! -d "$root/lab-$2" ] || find "$root/lab-$2" -depth -type d -exec rmdir {} + 2>/dev/null || true; done
  rm -rf "${HOSTS:?}/$2" ;;
list)
  for d in "$HOSTS"/*/; do [ -d "$d" ] || continue; n=$(basename "$d"); echo "$n $(cat "$d/ip") $(leader "$n" >/dev/null && echo up || echo down)"; done ;;
*) sed -n 2,17p "$0"; exit 2 ;;
esac

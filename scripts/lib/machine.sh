# What the machine must be, and who holds its ports.
# shellcheck shell=bash

machine_require() {
  [[ $(uname -s) == Linux ]] || fail "Nomad's exec driver isolates tasks with Linux's own means, and this is $(uname -s): use a Linux machine (Debian 12)."
  ((EUID == 0)) || fail "Nomad's exec driver needs root to isolate tasks: run it as root (sudo -E $0)."
  [[ $(uname -m) == x86_64 || $(uname -m) == aarch64 ]] || fail "only x86_64 and aarch64 processors are supported, not $(uname -m)."
  [[ -d /sys/fs/cgroup ]] || fail "no cgroups at /sys/fs/cgroup: mount them (mount -t cgroup2 none /sys/fs/cgroup)."
  local program
  for program in openssl flock setsid; do
    command -v "$program" >/dev/null || fail "'$program' is missing: apt-get install openssl util-linux."
  done
  id -u nobody >/dev/null 2>&1 || fail "tasks run as the user 'nobody', who is missing in /etc/passwd."
  local unreadable
  # Tasks read the checkout as nobody.
  unreadable=$(find "$ROOT/package.json" "$ROOT/lib" "$ROOT/services" \( -type d ! -perm -o=rx -o -type f ! -perm -o=r \) -print -quit 2>/dev/null)
  [[ -z $unreadable ]] || fail "tasks run as nobody and cannot read $unreadable: chmod -R o+rX $ROOT."
}

port_answers() { (exec 3<>"/dev/tcp/127.0.0.1/$1") 2>/dev/null; }

# Prints "PID NAME" of each process that listens on TCP port $1.
port_holders() {
  local inode pid seen=' '
  for inode in $(awk -v port="$(printf ':%04X' "$1")" \
    '$4 == "0A" && substr($2, length($2) - 4) == port { print $10 }' /proc/net/tcp /proc/net/tcp6 2>/dev/null); do
    for pid in $(find /proc/[0-9]*/fd -lname "socket:\[$inode\]" 2>/dev/null | cut -d/ -f3); do
      [[ $seen == *" $pid "* ]] && continue
      seen+="$pid "
      printf '%s %s\n' "$pid" "$(cat "/proc/$pid/comm" 2>/dev/null)"
    done
  done
}

# True if process $1 is an agent or a task of this stack.
process_is_ours() {
  tr '\0' ' ' 2>/dev/null <"/proc/$1/cmdline" | grep -qF "$STATE_DIR/" && return
  local allocation
  allocation=$(grep -oE '/nomad[^:]*/[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}' "/proc/$1/cgroup" 2>/dev/null | head -n 1)
  [[ -n $allocation && -d $STATE_DIR/nomad/client/alloc/${allocation##*/} ]]
}

# Every port of the table must be free or held by this stack.
ports_require() {
  local name holder foreign=()
  for name in "${!PORT[@]}"; do
    [[ $name == dynamic_* ]] && continue
    while read -r holder; do
      process_is_ours "${holder%% *}" || foreign+=("port ${PORT[$name]} ($name) is taken by ${holder#* } (pid ${holder%% *})")
    done < <(port_holders "${PORT[$name]}")
  done
  ((${#foreign[@]} == 0)) ||
    fail "$(printf '%s; ' "${foreign[@]}")stop that, or choose other ports: PROSAAS_PORT_OFFSET=10000 $0 --stack other."
}

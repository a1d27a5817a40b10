# Requirements of the machine, and the processes that hold its ports.
# shellcheck shell=bash

machine_require() {
  [[ $(uname -s) == Linux ]] ||
    fail "Nomad's exec driver isolates tasks by features of Linux, and this is $(uname -s): use Debian 12."
  ((EUID == 0)) || fail "Nomad's exec driver needs root to isolate tasks: run it as root (sudo -E $0)."
  [[ $(uname -m) == x86_64 || $(uname -m) == aarch64 ]] ||
    fail "only x86_64 and aarch64 processors are supported, not $(uname -m)."
  [[ -d /sys/fs/cgroup ]] || fail "no cgroups at /sys/fs/cgroup: mount them (mount -t cgroup2 none /sys/fs/cgroup)."
  local program
  for program in openssl flock setsid; do
    command -v "$program" >/dev/null || fail "'$program' is missing: apt-get install openssl util-linux."
  done
  id -u nobody >/dev/null 2>&1 || fail "tasks run as the user 'nobody', who is missing in /etc/passwd."
}

# Prints "PORT PID NAME" for each of the given TCP ports that some process listens on, one holder a port.
port_holders() {
  local port inode pid listening sockets
  # Column 2 is ADDRESS:PORT in hexadecimal, 4 the state (0A listens), 10 the socket's inode.
  listening=$(awk '$4 == "0A" { n = split($2, part, ":"); print part[n], $10 }' \
    /proc/net/tcp /proc/net/tcp6 2>/dev/null) || true
  # Processes end while find looks at them.
  sockets=$(find /proc/[0-9]*/fd -lname 'socket:*' -printf '%l %h\n' 2>/dev/null) || true
  for port in "$@"; do
    inode=$(awk -v port="$(printf '%04X' "$port")" '$1 == port { print $2; exit }' <<<"$listening")
    [[ $inode ]] || continue
    pid=$(awk -v socket="socket:[$inode]" '$1 == socket { split($2, part, "/"); print part[3]; exit }' <<<"$sockets")
    [[ -d /proc/$pid/fd ]] || pid=
    printf '%s %s %s\n' "$port" "${pid:-?}" "$(cat "/proc/$pid/comm" 2>/dev/null || echo unknown)"
  done
}

# True if process $1 is an agent or a task of this stack.
process_is_ours() {
  tr '\0' ' ' 2>/dev/null <"/proc/$1/cmdline" | grep -qF "$STATE_DIR/" && return
  local allocation
  allocation=$(grep -oE '/nomad[^:]*/[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}' "/proc/$1/cgroup" 2>/dev/null |
    head -n 1)
  [[ -n $allocation && -d $STATE_DIR/nomad/client/alloc/${allocation##*/} ]]
}

# Every port of the table must be free or held by this stack. A port without an owner belongs to a process that just
# ended (the kernel closes its sockets a moment after its /proc entry is gone): it gets 10 s to become free.
ports_require() {
  local foreign attempt
  for attempt in {1..50}; do
    foreign=$(ports_foreign)
    [[ $foreign == *'(pid ?)'* ]] || break
    sleep 0.2
  done
  [[ -z $foreign ]] ||
    fail "${foreign}stop that, or choose other ports: PROSAAS_PORT_OFFSET=10000 $0 --stack other."
}

# Prints a sentence for each port of the table that another program listens on.
ports_foreign() {
  local name port pid program fixed=() name_of=()
  for name in "${!PORT[@]}"; do
    [[ $name == dynamic_* ]] && continue
    fixed+=("${PORT[$name]}")
    name_of[${PORT[$name]}]=$name
  done
  while read -r port pid program; do
    process_is_ours "$pid" ||
      printf 'port %s (%s) is taken by %s (pid %s); ' "$port" "${name_of[port]}" "$program" "$pid"
  done < <(port_holders "${fixed[@]}")
}

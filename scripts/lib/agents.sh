# The agents of a stack: a Consul server, a Nomad server, a Nomad client, and an nginx that serves releases to the
# client. Each is a process of its own, with data that survives restarts. They outlive the script that starts them.
#
# nomad/agent/*.hcl and consul/agent/*.hcl hold what is the same everywhere; what differs by stack (names,
# folders, ports) is written to $STATE_DIR/<agent>.hcl here.
# shellcheck shell=bash

# shellcheck disable=SC2034 # read by scripts/down
AGENTS=(consul nomad-server releases nomad-client)

# agents_ensure — starts the agents that do not run, restarts those whose configuration changed while tasks
# run on, and returns when the client may take work.
agents_ensure() {
  AGENTS_STARTED=()
  access_ensure
  agents_write_configuration
  agents_write_releases
  agent_ensure consul consul agent -config-file="$ROOT/consul/agent/agent.hcl" \
    -config-file="$ROOT/consul/agent/server.hcl" -config-file="$STATE_DIR/consul.hcl"
  agent_await consul "${PORT[consul_http]}" /v1/status/leader
  access_export
  # Nomad's agents come with tokens that Consul has to know.
  bun run "$ROOT/scripts/stack/access.ts" consul || fail 'access control of Consul is not complete: see above.'
  agent_ensure nomad-server nomad agent -config="$ROOT/nomad/agent/server.hcl" -config="$STATE_DIR/nomad-server.hcl"
  agent_await nomad-server "${PORT[nomad_http]}" /v1/status/leader
  bun run "$ROOT/scripts/stack/access.ts" nomad || fail 'access control of Nomad is not complete: see above.'
  agent_ensure releases nginx -e stderr -c "$STATE_DIR/releases.conf"
  agent_ensure nomad-client nomad agent -config="$ROOT/nomad/agent/client.hcl" -config="$STATE_DIR/nomad-client.hcl"
  agents_await_node
  agents_weigh_tasks
  if ((${#AGENTS_STARTED[@]})); then
    say "started: ${AGENTS_STARTED[*]} (logs in $STATE_DIR/logs)"
    export PROSAAS_AGENTS_STARTED="${AGENTS_STARTED[*]}"
  else
    say 'all of them run already'
  fi
}

# agents_weigh_tasks — gives the tasks 16 times the weight of one process. By default all of them together weigh as much
# as one: a client that unpacks releases, or anything else on the machine, would slow every service down.
agents_weigh_tasks() {
  local weight=/sys/fs/cgroup/nomad.slice/cpu.weight shares=/sys/fs/cgroup/cpu/nomad/cpu.shares
  if [[ -w $weight ]]; then
    echo 1600 >"$weight"
  elif [[ -w $shares ]]; then
    echo 16384 >"$shares"
  fi
}

agent_pid() { cat "$STATE_DIR/$1.pid" 2>/dev/null; }

# A recorded pid counts only while its process carries this stack's configuration file.
agent_alive() {
  local pid
  pid=$(agent_pid "$1") && [[ -n $pid ]] &&
    tr '\0' '\n' 2>/dev/null <"/proc/$pid/cmdline" | grep -qF -e "$STATE_DIR/$1.hcl" -e "$STATE_DIR/$1.conf"
}

# agent_ensure NAME COMMAND… — starts COMMAND unless it runs with the configuration files it names now.
agent_ensure() {
  local name=$1 argument files=() sum
  shift
  for argument in "$@"; do
    [[ $argument == -config* || -f $argument ]] && files+=("${argument#*=}")
  done
  sum=$(sha256sum "${files[@]}")
  if agent_alive "$name"; then
    [[ $(cat "$STATE_DIR/$name.sum" 2>/dev/null) == "$sum" ]] && return
    agent_stop "$name"
  fi
  if [[ $name == nomad-client ]]; then
    orphans_kill
    # A client that registers in the leader's first moments is denied, and waits 15 s and more.
    sleep 0.5
  fi

  # Log files are rotated by the agents themselves; stderr carries only panics.
  # env -i: tasks inherit the client's environment, and AWS_CA_BUNDLE alone keeps a client from starting.
  (
    cd /
    ulimit -n "$(ulimit -Hn)"
    # Nothing of this script's or its caller's stays open, such as the lock of a command that ends before the agent.
    for file in /proc/"$BASHPID"/fd/*; do
      file=${file##*/}
      ((file > 2)) && exec {file}>&-
    done
    exec env -i PATH="$PATH" HOME="$HOME" LANG=C.UTF-8 setsid "$@" \
      </dev/null >/dev/null 2>>"$STATE_DIR/logs/$name.stderr"
  ) &
  state_write "$name.pid" <<<"$!"
  state_write "$name.sum" <<<"$sum"
  AGENTS_STARTED+=("$name")
  # Until exec has replaced the shell by the program, its process does not look alive.
  local deadline=$((SECONDS + 5))
  until agent_alive "$name"; do
    ((SECONDS < deadline)) || agent_fail "$name" 'did not start'
    sleep 0.02
  done
}

# agent_fail NAME WHAT — ends the script with the end of the agent's logs.
agent_fail() {
  tail -n 15 "$STATE_DIR/logs/$1.stderr" "$STATE_DIR/logs/$1.log" >&2 2>/dev/null || true
  fail "$1 $2: see above and $STATE_DIR/logs."
}

# http_body PORT PATH [TOKEN] — the body of a GET on loopback; needs nothing but bash.
http_body() {
  local line
  exec {HTTP}<>"/dev/tcp/127.0.0.1/$1" || return 1
  printf 'GET %s HTTP/1.0\r\n%s\r\n' "$2" "${3:+Authorization: Bearer $3$'\r\n'}" >&"$HTTP"
  while read -r -t 5 line <&"$HTTP" && [[ $line != $'\r' ]]; do :; done
  cat <&"$HTTP"
  exec {HTTP}>&-
}

# agent_await NAME PORT PATH — until this agent, and no other program on PORT, names a leader at PATH; 60 s at most.
agent_await() {
  local body deadline=$((SECONDS + 60))
  while ((SECONDS < deadline)); do
    agent_alive "$1" || break
    body=$(http_body "$2" "$3" 2>/dev/null) || body=''
    if [[ $body == \"*:*\" ]]; then
      [[ $(port_holders "$2") == "$2 $(agent_pid "$1") "* ]] && return
      break
    fi
    sleep 0.1
  done
  agent_fail "$1" "does not answer on port $2"
}

agents_await_node() {
  local deadline=$((SECONDS + 60))
  while ((SECONDS < deadline)); do
    agent_alive nomad-client || break
    [[ $(http_body "${PORT[nomad_http]}" /v1/nodes "$NOMAD_TOKEN" 2>/dev/null) == *'"Status":"ready"'* ]] && return
    sleep 0.2
  done
  agent_fail nomad-client 'did not become ready within 60 s'
}

# agent_stop NAME — SIGINT, then SIGKILL after 20 s.
agent_stop() {
  agent_alive "$1" || { rm -f "$STATE_DIR/$1.pid"; return; }
  local pid deadline=$((SECONDS + 20))
  pid=$(agent_pid "$1")
  kill -INT "$pid"
  while agent_alive "$1"; do
    if ((SECONDS >= deadline)); then
      say "$1 (pid $pid) does not stop; killing it"
      kill -KILL "$pid" 2>/dev/null || true
      deadline=$((SECONDS + 20))
    fi
    sleep 0.1
  done
  rm -f "$STATE_DIR/$1.pid"
}

agents_write_configuration() {
  mkdir -p "$STATE_DIR"/{consul,nomad/server,nomad/client,logs,releases,releases.tmp}

  state_write consul.hcl <<HCL
# Written by scripts/up for stack $STACK.
node_name        = "prosaas-$STACK"
data_dir         = "$STATE_DIR/consul"
log_file         = "$STATE_DIR/logs/consul.log"
bind_addr        = "127.0.0.1"
bootstrap_expect = 1
ports {
  http     = ${PORT[consul_http]}
  dns      = ${PORT[consul_dns]}
  server   = ${PORT[consul_server]}
  serf_lan = ${PORT[consul_serf]}
}
acl {
  tokens {
    initial_management = "$(access_token consul-management)"
    agent              = "$(access_token consul-agent)"
  }
}
HCL

  state_write nomad-server.hcl <<HCL
# Written by scripts/up for stack $STACK.
name      = "prosaas-$STACK"
data_dir  = "$STATE_DIR/nomad/server"
log_file  = "$STATE_DIR/logs/nomad-server.log"
bind_addr = "127.0.0.1"
advertise {
  http = "127.0.0.1"
  rpc  = "127.0.0.1"
  serf = "127.0.0.1"
}
ports {
  http = ${PORT[nomad_http]}
  rpc  = ${PORT[nomad_rpc]}
  serf = ${PORT[nomad_serf]}
}
server {
  bootstrap_expect = 1
}
consul {
  address = "127.0.0.1:${PORT[consul_http]}"
  token   = "$(access_token consul-nomad-server)"
}
HCL

  state_write nomad-client.hcl <<HCL
# Written by scripts/up for stack $STACK.
name      = "prosaas-$STACK"
data_dir  = "$STATE_DIR/nomad/client"
log_file  = "$STATE_DIR/logs/nomad-client.log"
bind_addr = "127.0.0.1"
advertise {
  http = "127.0.0.1"
  rpc  = "127.0.0.1"
  serf = "127.0.0.1"
}
ports {
  http = ${PORT[nomad_client]}
}
consul {
  address = "127.0.0.1:${PORT[consul_http]}"
  token   = "$(access_token consul-nomad-client)"
}
client {
  servers           = ["127.0.0.1:${PORT[nomad_rpc]}"]
  network_interface = "lo" # tasks of a development stack listen on loopback only
  min_dynamic_port  = ${PORT[dynamic_min]}
  max_dynamic_port  = ${PORT[dynamic_max]}

  host_volume "usr" {
    path      = "/usr"
    read_only = true
  }

  # The files that a task sees besides /usr. The loader and the shell are named by their real files, because a symlink
  # would be copied as a symlink.
  chroot_env {
$(agents_chroot_entries)
  }
}
HCL
}

# Serves $STATE_DIR/releases on loopback: Nomad fetches artifacts by HTTP, and not from a folder.
agents_write_releases() {
  state_write releases.conf <<NGINX
# Written by scripts/up for stack $STACK.
daemon off;
master_process off; # one process, root's: the stack's folder is closed to other users
pid $STATE_DIR/releases.nginx.pid;
events { worker_connections 64; } # a client fetches a few releases at once
http {
  access_log off;
  client_body_temp_path $STATE_DIR/releases.tmp/client_body;
  proxy_temp_path       $STATE_DIR/releases.tmp/proxy;
  fastcgi_temp_path     $STATE_DIR/releases.tmp/fastcgi;
  uwsgi_temp_path       $STATE_DIR/releases.tmp/uwsgi;
  scgi_temp_path        $STATE_DIR/releases.tmp/scgi;
  server {
    listen 127.0.0.1:${PORT[releases]};
    root $STATE_DIR/releases;
  }
}
NGINX
}

agents_chroot_entries() {
  local loader
  case $(uname -m) in
    x86_64) loader=/lib64/ld-linux-x86-64.so.2 ;;
    aarch64) loader=/lib/ld-linux-aarch64.so.1 ;;
  esac
  printf '    "%s" = "%s"\n' "$(readlink -f "$loader")" "$loader" "$(readlink -f /bin/sh)" /bin/sh
  printf '    "%s" = "%s"\n' "$(command -v bun)" /bin/bun
  local file
  for file in /etc/passwd /etc/group /etc/hosts /etc/nsswitch.conf /etc/resolv.conf; do
    [[ -e $file ]] && printf '    "%s" = "%s"\n' "$(readlink -f "$file")" "$file"
  done
}

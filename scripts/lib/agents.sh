# The agents of a stack: a Consul server, a Nomad server, a Nomad client, and an nginx that serves releases to the
# client. Each is a process of its own, with data that survives restarts. They outlive the script that starts them:
# as units where systemd runs (scripts/cli/agents/unit.ts), which also start them at boot and after a crash.
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
  "$ROOT/scripts/cli/agents/weigh-tasks.sh"
  if ((${#AGENTS_STARTED[@]})); then
    say "started: ${AGENTS_STARTED[*]} (logs in $STATE_DIR/logs)"
    export PROSAAS_AGENTS_STARTED="${AGENTS_STARTED[*]}"
  else
    say 'all of them run already'
  fi
}

# True where systemd is the first process of the machine.
systemd_runs() { [[ -d /run/systemd/system ]]; }

agent_unit() { printf 'prosaas-%s-%s.service' "$STACK" "$1"; }
agent_unit_file() { printf '/etc/systemd/system/%s' "$(agent_unit "$1")"; }

# The pid that systemd names; without a unit, the recorded one.
agent_pid() {
  local pid=''
  if systemd_runs; then pid=$(systemctl show --property=MainPID --value "$(agent_unit "$1")" 2>/dev/null) || pid=''; fi
  if [[ $pid && $pid != 0 ]]; then printf '%s\n' "$pid"; else cat "$STATE_DIR/$1.pid" 2>/dev/null; fi
}

# A recorded pid counts only while its process carries this stack's configuration file.
agent_alive() {
  local pid
  pid=$(agent_pid "$1") && [[ -n $pid ]] &&
    tr '\0' '\n' 2>/dev/null <"/proc/$pid/cmdline" | grep -qF -e "$STATE_DIR/$1.hcl" -e "$STATE_DIR/$1.conf"
}

# agent_ensure NAME COMMAND… — starts COMMAND unless it runs with the configuration files it names now.
agent_ensure() {
  local name=$1 argument files=() sum unit=''
  shift
  for argument in "$@"; do
    [[ $argument == -config* || -f $argument ]] && files+=("${argument#*=}")
  done
  sum=$(sha256sum "${files[@]}")
  if systemd_runs; then
    unit=$(bun run "$ROOT/scripts/cli/agents/stack_unit.ts" "$name" "$(command -v "$1")" "${@:2}") ||
      fail "the unit of $name could not be written: see above."
    sum+=$'\n'$(sha256sum <<<"$unit")
  fi
  if agent_alive "$name"; then
    [[ $(cat "$STATE_DIR/$name.sum" 2>/dev/null) == "$sum" ]] && return
    agent_stop "$name"
  fi
  if [[ $name == nomad-client ]]; then
    orphans_kill
    "$ROOT/scripts/cli/agents/restore-mounts.sh" "$STATE_DIR/nomad/client" ||
      fail 'the mounts of allocations could not be restored: see above.'
    # A client that registers in the leader's first moments is denied, and waits 15 s and more.
    sleep 0.5
  fi
  if [[ $unit ]]; then agent_start_unit "$name" "$unit"; else agent_start_process "$name" "$@"; fi
  state_write "$name.sum" <<<"$sum"
  AGENTS_STARTED+=("$name")
  # Until exec has replaced the shell by the program, its process does not look alive.
  local deadline=$((SECONDS + 5))
  until agent_alive "$name"; do
    ((SECONDS < deadline)) || agent_fail "$name" 'did not start'
    sleep 0.02
  done
}

agent_start_unit() {
  printf '%s\n' "$2" >"$(agent_unit_file "$1")" &&
    systemctl daemon-reload &&
    systemctl enable --quiet "$(agent_unit "$1")" &&
    systemctl restart "$(agent_unit "$1")" || agent_fail "$1" "did not start (systemctl status $(agent_unit "$1"))"
}

agent_start_process() {
  local name=$1
  shift
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

# agent_stop NAME — SIGINT, then SIGKILL after 20 s. Removes its unit, so that no boot starts it.
agent_stop() {
  if systemd_runs && [[ -e $(agent_unit_file "$1") ]]; then
    systemctl disable --quiet --now "$(agent_unit "$1")" || true
    rm -f "$(agent_unit_file "$1")"
    systemctl daemon-reload
  fi
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

  chroot_env {
$(chroot_entries "$(command -v bun)")
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

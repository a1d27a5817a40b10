# A stack: a name, a folder for its state and a table of ports. Two stacks of different names and port
# offsets run side by side on one machine.
# shellcheck shell=bash
# shellcheck disable=SC2034 # read by the scripts that source this file

declare -A PORT
STACK=dev
STATE_DIR=''

# stack_folder NAME — sets STACK and STATE_DIR.
stack_folder() {
  STACK=$1
  [[ $STACK =~ ^[a-z][a-z0-9-]{0,30}$ ]] ||
    fail "a stack's name is 1 to 31 lower-case letters, digits and hyphens, beginning with a letter: '$STACK' is not."
  STATE_DIR=${PROSAAS_STATE_DIR:-${XDG_STATE_HOME:-$HOME/.local/state}/prosaas/$STACK}
  [[ $STATE_DIR == /* ]] || fail "PROSAAS_STATE_DIR must be an absolute path, not '$STATE_DIR'."
}

# stack_select NAME — NAME is "dev" or any other; only dev may do without PROSAAS_PORT_OFFSET.
stack_select() {
  stack_folder "$1"
  [[ ! -e $STATE_DIR/cluster.json ]] ||
    fail "'$STACK' is a cluster of several nodes: ./scripts/task cluster -- up|down --name $STACK"
  [[ ! -e $STATE_DIR/nodes.conf ]] || fail "'$STACK' is a cluster of several nodes: see nomad/README.md."

  local offset=${PROSAAS_PORT_OFFSET:-}
  if [[ -z $offset && -r $STATE_DIR/port-offset ]]; then
    offset=$(<"$STATE_DIR/port-offset")
  fi
  if [[ -z $offset ]]; then
    [[ $STACK == dev ]] || fail "stack '$STACK' needs ports of its own: set PROSAAS_PORT_OFFSET (10000, for example)."
    offset=0
  fi
  # 15000 keeps every port of the table below Linux's ephemeral range, from which outgoing connections take theirs.
  [[ $offset =~ ^[0-9]{1,5}$ && $offset -le 15000 ]] ||
    fail "PROSAAS_PORT_OFFSET must be a number from 0 to 15000, not '$offset'."
  PORT_OFFSET=$offset

  PORT=(
    [http]=8080 [https]=8443
    [consul_http]=8500 [consul_dns]=8600 [consul_server]=8300 [consul_serf]=8301
    [nomad_http]=4646 [nomad_rpc]=4647 [nomad_serf]=4648 [nomad_client]=4656
    [postgres]=15432 [postgres_replica]=15433 [pgbouncer]=16432 [redis]=16379
    [simulator]=17070 [simulator_media]=17071 [call_agent]=17080 [releases]=17090
    # Nomad's dynamic ports: below Linux's ephemeral range (32768), so that no outgoing connection holds one.
    [dynamic_min]=12000 [dynamic_max]=12999
  )
  local name
  for name in "${!PORT[@]}"; do PORT[$name]=$((PORT[$name] + offset)); done

  local elsewhere=${NOMAD_ADDR:-}
  export NOMAD_ADDR=http://127.0.0.1:${PORT[nomad_http]}
  export CONSUL_HTTP_ADDR=127.0.0.1:${PORT[consul_http]}
  # Settings of another cluster in the caller's shell must not reach this one.
  unset NOMAD_TOKEN NOMAD_NAMESPACE NOMAD_REGION CONSUL_HTTP_TOKEN CONSUL_NAMESPACE
  [[ -z $elsewhere || ${elsewhere%/} == "$NOMAD_ADDR" ]] ||
    say "acts on stack '$STACK' of this machine ($NOMAD_ADDR), not on NOMAD_ADDR=$elsewhere"
}

# state_write NAME — writes stdin to $STATE_DIR/NAME: completely or not at all, readable by root only. Names the path
# if the disk is full or read-only.
state_write() {
  local path=$STATE_DIR/$1 fault
  fault=$({ umask 077 && cat >"$path.new" && mv -f "$path.new" "$path"; } 2>&1) && return
  rm -f "$path.new" 2>/dev/null || true
  fail "$path cannot be written: ${fault##*: }."
}

# state_folder_ensure — creates $STATE_DIR, and writes 1 MB there for a try: agents on a full or read-only disk fail
# later, without a word about the disk.
state_folder_ensure() {
  local fault
  # Nomad's dynamic volumes and allocation folders lie below: closed to other users.
  fault=$({ umask 077 && mkdir -p "$STATE_DIR" && chmod 700 "$STATE_DIR"; } 2>&1) ||
    fail "$STATE_DIR cannot be created: ${fault##*: }."
  state_write probe < <(head -c 1048576 /dev/zero)
  rm -f "$STATE_DIR/probe"
}

# stack_lock — one `up` or `down` of a stack at a time; the second one waits. $STATE_DIR exists.
stack_lock() {
  exec {STACK_LOCK}>"$STATE_DIR/lock"
  if ! flock -n "$STACK_LOCK"; then
    say "another up or down of stack '$STACK' is at work; waiting for it"
    flock "$STACK_LOCK"
  fi
}

# stack_export — what the TypeScript half (scripts/stack) must know.
stack_export() {
  export PROSAAS_STACK=$STACK PROSAAS_STATE_DIR=$STATE_DIR
  export PROSAAS_BASE_URL=https://127.0.0.1:${PORT[https]}
  export PROSAAS_SIMULATOR_URL=http://127.0.0.1:${PORT[simulator]}
  local name ports=()
  for name in "${!PORT[@]}"; do ports+=("$name=${PORT[$name]}"); done
  export PROSAAS_PORTS="${ports[*]}"
  # How to call the other scripts for this stack.
  PROSAAS_TASK=./scripts/task
  [[ $STACK == dev ]] || PROSAAS_TASK="PROSAAS_STACK=$STACK $PROSAAS_TASK"
  [[ $STATE_DIR == "${XDG_STATE_HOME:-$HOME/.local/state}/prosaas/$STACK" ]] ||
    PROSAAS_TASK="PROSAAS_STATE_DIR=$STATE_DIR $PROSAAS_TASK"
  export PROSAAS_TASK
}

# Access control: the tokens of a stack's agents and commands. The agents' configuration files name them, and
# scripts/stack/access.ts creates what each of them may do. All are kept in $STATE_DIR/access, readable by root only.
# shellcheck shell=bash

# consul-management and nomad-management may do anything: they are the operator's. The others are the agents' own.
ACCESS_TOKENS=(consul-management nomad-management consul-agent consul-nomad-server consul-nomad-client)

# access_ensure — generates the tokens that are missing.
access_ensure() {
  local name
  (umask 077 && mkdir -p "$STATE_DIR/access") || fail "$STATE_DIR/access cannot be created: see above."
  for name in "${ACCESS_TOKENS[@]}"; do
    [[ -s $STATE_DIR/access/$name ]] || state_write "access/$name" </proc/sys/kernel/random/uuid
  done
}

access_token() { cat "$STATE_DIR/access/$1"; }

# access_export — lets nomad, consul and scripts/stack act on this stack. A stack from before access control has no
# tokens and asks for none.
access_export() {
  unset NOMAD_TOKEN CONSUL_HTTP_TOKEN
  if [[ -r $STATE_DIR/access/nomad-management ]]; then
    NOMAD_TOKEN=$(access_token nomad-management) && export NOMAD_TOKEN
  fi
  if [[ -r $STATE_DIR/access/consul-management ]]; then
    CONSUL_HTTP_TOKEN=$(access_token consul-management) && export CONSUL_HTTP_TOKEN
  fi
}

# What is left of a stack when its agents are gone: executors with their tasks, mounts, cgroups.
# shellcheck shell=bash

allocation_ids() {
  [[ -d $STATE_DIR/nomad/client/alloc ]] || return 0
  find "$STATE_DIR/nomad/client/alloc" -mindepth 1 -maxdepth 1 -type d -printf '%f\n'
}

# processes_with PATTERN… — pids of the processes that have, for each PATTERN, an argument that matches it.
processes_with() {
  local pattern files=(/proc/[0-9]*/cmdline)
  for pattern in "$@"; do
    # Arguments end with a NUL, so -z makes each of them a line. Processes end while grep reads them.
    mapfile -t files < <(grep -lazE -e "$pattern" "${files[@]}" 2>/dev/null)
    ((${#files[@]})) || return 0
  done
  printf '%s\n' "${files[@]}" | cut -d/ -f3
}

# Nomad's executors and log collectors of this stack. A task that lost its executor is an orphan.
executor_pids() { processes_with '^(executor|logmon)$' "$(regex_quote "$STATE_DIR")/"; }

regex_quote() { printf '%s' "$1" | sed 's/[][\\.^$*+?(){}|]/\\&/g'; }

# orphans_kill — ends tasks whose executor was killed: nothing supervises them any more, and Nomad cannot start
# their allocation again while they live. To be called while the client is down.
orphans_kill() {
  local id pids executors
  executors=$(for pid in $(executor_pids); do tr '\0' ' ' <"/proc/$pid/cmdline" 2>/dev/null; done)
  for id in $(allocation_ids); do
    [[ $executors == *"/alloc/$id/"* ]] && continue
    mapfile -t pids < <(allocation_pids "$id")
    ((${#pids[@]})) || continue
    say "ending ${#pids[@]} processes of allocation ${id:0:8}, which lost their executor"
    kill -KILL "${pids[@]}" 2>/dev/null || true
  done
}

# leftovers_kill — ends the tasks that outlived their client. True if there were any.
leftovers_kill() {
  local pids deadline=$((SECONDS + 20))
  mapfile -t pids < <(executor_pids)
  ((${#pids[@]})) || return 1
  kill -KILL "${pids[@]}" 2>/dev/null || true
  while ((SECONDS < deadline)); do
    [[ -z $(executor_pids) && -z $(task_pids) ]] && return
    mapfile -t pids < <(task_pids)
    ((${#pids[@]})) && kill -KILL "${pids[@]}" 2>/dev/null
    sleep 0.2
  done
  fail "processes of stack '$STACK' do not end: $(task_pids | tr '\n' ' ')"
}

# Pids in the cgroups of allocation $1.
allocation_pids() { find /sys/fs/cgroup -path "*/$1.*/cgroup.procs" -exec cat {} + 2>/dev/null | sort -u; }

# Pids in the cgroups of all allocations of this stack.
task_pids() {
  local id
  for id in $(allocation_ids); do allocation_pids "$id"; done
}

# leftovers_unmount — deepest first.
leftovers_unmount() {
  local mount
  while read -r mount; do
    umount "$mount" || umount -l "$mount"
  done < <(awk -v below="$STATE_DIR/" 'index($5, below) == 1 { print $5 }' /proc/self/mountinfo | sort -r)
}

# leftovers_remove_cgroups — those of every allocation that this stack ever logged, and Nomad's own if no client is
# left to use them. (A machine with both versions of cgroups keeps the folders of dead tasks.)
leftovers_remove_cgroups() {
  local id
  while read -r id; do
    find /sys/fs/cgroup -depth -type d -name "${id#alloc_id=}.*" -exec rmdir {} + 2>/dev/null || true
  done < <(cat "$STATE_DIR"/logs/nomad-client*.log 2>/dev/null | grep -oE 'alloc_id=[0-9a-f-]{36}' | sort -u)
  nomad_client_runs && return
  find /sys/fs/cgroup -depth -type d \( -path '*/nomad.slice*' -o -path '/sys/fs/cgroup/*/nomad' -o -path '/sys/fs/cgroup/*/nomad/*' \) \
    -exec rmdir {} + 2>/dev/null || true
}

# True if any Nomad agent runs on this machine, of this stack or another.
nomad_client_runs() { [[ $(processes_with '(^|/)nomad$' '^agent$') ]]; }

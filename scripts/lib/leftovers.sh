# What is left of a stack when its agents are gone: executors with their tasks, mounts, cgroups.
# shellcheck shell=bash

allocation_ids() {
  [[ -d $STATE_DIR/nomad/client/alloc ]] || return 0
  find "$STATE_DIR/nomad/client/alloc" -mindepth 1 -maxdepth 1 -type d -printf '%f\n'
}

# Pids of Nomad's executors and log collectors of this stack. A task dies with its executor.
executor_pids() {
  local directory pid
  for directory in /proc/[0-9]*; do
    pid=${directory#/proc/}
    [[ $pid != $$ ]] && tr '\0' ' ' 2>/dev/null <"$directory/cmdline" |
      grep -E 'nomad (executor|logmon|docker_logger) ' | grep -qF "$STATE_DIR/" && printf '%s\n' "$pid"
  done
  return 0
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

# Pids in the cgroups of this stack's allocations.
task_pids() {
  local id
  for id in $(allocation_ids); do
    find /sys/fs/cgroup -path "*/$id.*/cgroup.procs" -exec cat {} + 2>/dev/null
  done | sort -u
}

# leftovers_unmount — deepest first.
leftovers_unmount() {
  local mount
  while read -r mount; do
    umount "$mount" || umount -l "$mount"
  done < <(awk -v below="$STATE_DIR/" 'index($5, below) == 1 { print $5 }' /proc/self/mountinfo | sort -r)
}

# leftovers_remove_cgroups — those of this stack's allocations, and Nomad's own if no client is left to use them.
leftovers_remove_cgroups() {
  local id
  for id in $(allocation_ids); do
    find /sys/fs/cgroup -depth -type d -name "$id.*" -exec rmdir {} + 2>/dev/null || true
  done
  grep -lazE '^-config=.*/nomad/agent/client.hcl$|^client$' /proc/[0-9]*/cmdline >/dev/null 2>&1 && return
  find /sys/fs/cgroup -depth -type d \( -path '*/nomad.slice*' -o -path '/sys/fs/cgroup/*/nomad' -o -path '/sys/fs/cgroup/*/nomad/*' \) \
    -exec rmdir {} + 2>/dev/null || true
}

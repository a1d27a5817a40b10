# Removes the rest of a stack whose agents are gone: executors with their tasks, mounts, cgroups.
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

# Nomad's executors and log collectors of this stack: each has files of its stack open.
supervisor_pids() {
  local pid
  for pid in $(processes_with '(^|/)nomad$' '^(executor|logmon)$'); do
    [[ $(find "/proc/$pid/fd" -lname "$STATE_DIR/*" -print -quit 2>/dev/null) ]] && printf '%s\n' "$pid"
  done
  return 0
}

# Pids in the cgroups of the given allocations.
pids_of() {
  (($#)) || return 0
  find /sys/fs/cgroup -path '*/nomad*' -name cgroup.procs 2>/dev/null | grep -F -f <(printf '%s\n' "$@") |
    xargs -r cat 2>/dev/null | sort -u || true
}

# shellcheck disable=SC2046 # ids have no spaces
task_pids() { pids_of $(allocation_ids); }

# orphans_kill — ends tasks whose executor was killed: nothing supervises them any more, and Nomad cannot start
# their allocation again while they live. To be called while the client is down.
orphans_kill() {
  local id pids executors lost=()
  executors=$(for pid in $(supervisor_pids); do tr '\0' ' ' <"/proc/$pid/cmdline" 2>/dev/null; done)
  for id in $(allocation_ids); do
    [[ $executors == *"/alloc/$id/"* ]] || lost+=("$id")
  done
  mapfile -t pids < <(pids_of "${lost[@]}")
  ((${#pids[@]})) || return 0
  say "ending ${#pids[@]} processes that lost their supervisor"
  kill -KILL "${pids[@]}" 2>/dev/null || true
}

# leftovers_kill — ends whatever of this stack outlived its agents: supervisors and tasks. True if there was anything.
leftovers_kill() {
  local pids deadline=$((SECONDS + 20)) found=''
  while mapfile -t pids < <(supervisor_pids && task_pids) && ((${#pids[@]})); do
    found=1
    ((SECONDS < deadline)) || fail "processes of stack '$STACK' do not end: ${pids[*]}"
    kill -KILL "${pids[@]}" 2>/dev/null || true
    sleep 0.2
  done
  [[ $found ]]
}

# mounts_below FOLDER — its mount points, the deepest first.
mounts_below() {
  local mount
  while read -r _ _ _ _ mount _; do
    # The kernel writes a space as \040.
    printf -v mount %b "${mount//\\/\\0}"
    [[ $mount == "$1"/* ]] && printf '%s\n' "$mount"
  done </proc/self/mountinfo | sort -r
}

# True if Nomad mounted $1 for an allocation of this stack: all of those lie in the allocation's folder.
mount_is_ours() { [[ ${1#"$STATE_DIR/nomad/client/alloc/"} =~ ^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}/ ]]; }

# leftovers_unmount — unmounts what Nomad mounted for its allocations. An operator's mounts stay.
leftovers_unmount() {
  local mount
  while read -r mount; do
    if mount_is_ours "$mount"; then umount "$mount" || umount -l "$mount"; fi
  done < <(mounts_below "$STATE_DIR")
}

# leftovers_foreign_mounts — prints the mounts below $STATE_DIR that are not Nomad's.
leftovers_foreign_mounts() {
  local mount
  while read -r mount; do
    mount_is_ours "$mount" || printf '%s\n' "$mount"
  done < <(mounts_below "$STATE_DIR")
}

# leftovers_remove_cgroups — those of every allocation that this stack ever logged, and Nomad's own if no client is
# left to use them. (A machine with both versions of cgroups keeps the folders of dead tasks.)
leftovers_remove_cgroups() {
  local id
  while read -r id; do
    find /sys/fs/cgroup -depth -type d -name "${id#alloc_id=}.*" -exec rmdir {} + 2>/dev/null || true
  done < <(cat "$STATE_DIR"/logs/nomad-client*.log 2>/dev/null | grep -oE 'alloc_id=[0-9a-f-]{36}' | sort -u)
  nomad_client_runs && return
  find /sys/fs/cgroup -depth -type d \
    \( -path '*/nomad.slice*' -o -path '/sys/fs/cgroup/*/nomad' -o -path '/sys/fs/cgroup/*/nomad/*' \) \
    -exec rmdir {} + 2>/dev/null || true
}

# True if any Nomad agent runs on this machine, of this stack or another.
nomad_client_runs() { [[ $(processes_with '(^|/)nomad$' '^agent$') ]]; }

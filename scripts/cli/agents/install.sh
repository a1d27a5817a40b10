#!/usr/bin/env bash
# install.sh ROLE [--dry-run] — runs on a node for `task install:agents`, in the folder that it unpacked there: `files`
# has what the node gets, by its path. Installs Debian's packages, writes the files that differ, and has systemd start
# the agents. One whose configuration is unchanged is not restarted: it reads a new certificate again, and has the
# gossip keys on its disk.
set -euo pipefail
# Not the caller's: what apt installs is for all users.
umask 022

HERE=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd -P)
for part in say packages chroot; do
  # shellcheck source=/dev/null
  source "$HERE/lib/$part.sh"
done
ROLE=$1 DRY_RUN=${2:-}
FILES=$HERE/files

((EUID == 0)) || fail 'the agents run as root, so only root can install them.'
[[ $ROLE == server ]] || id -u nobody >/dev/null 2>&1 || fail "tasks run as the user 'nobody', who is missing."

# Services that tasks run. Debian's own instances stay off.
PACKAGES=()
[[ $ROLE == client ]] && PACKAGES=(nginx redis-server postgresql pgbouncer)
if [[ $DRY_RUN ]]; then
  mapfile -t missing < <(packages_missing "${PACKAGES[@]}")
  for name in "${missing[@]}"; do say "would install the package $name"; done
elif ((${#PACKAGES[@]})); then
  packages_ensure "${PACKAGES[@]}"
fi

if [[ $ROLE == client ]]; then
  mkdir -p "$FILES/etc/prosaas/nomad"
  printf '# Written by task install:agents.\nclient {\n  chroot_env {\n%s\n  }\n}\n' \
    "$(chroot_entries /opt/prosaas/bin/bun)" >"$FILES/etc/prosaas/nomad/chroot.hcl"
fi

# changed PATTERN — true if a file whose path matches differs.
changed() { printf '%s\n' "${CHANGED[@]}" | grep -qE "$1"; }

[[ $DRY_RUN ]] || (umask 077 && mkdir -p /etc/prosaas /var/lib/prosaas)
CHANGED=()
while read -r file; do
  cmp -s "$FILES$file" "$file" && continue
  CHANGED+=("$file")
  [[ $DRY_RUN ]] && { say "would write $file"; continue; }
  mkdir -p "$(dirname "$file")"
  # A program that runs cannot be written to, but replaced.
  cp -p "$FILES$file" "$file.new" && mv -f "$file.new" "$file"
done < <(cd "$FILES" && find . -type f -printf '/%P\n' | sort)
[[ $DRY_RUN ]] && { say "${#CHANGED[@]} files differ; nothing was changed"; exit; }
say "${#CHANGED[@]} files written"

UNITS=(prosaas-consul "prosaas-nomad-$ROLE")
if [[ ! -d /run/systemd/system ]]; then
  say 'systemd does not run here: start what these units say, and restart it after a change'
  for unit in "${UNITS[@]}"; do say "  /etc/systemd/system/$unit.service"; done
  exit
fi
systemctl daemon-reload
for unit in "${UNITS[@]}"; do
  agent=${unit#prosaas-} agent=${agent%%-*}
  own="/etc/prosaas/$agent/(agent|server|client|tls|node|chroot)\\.hcl"
  systemctl enable --quiet "$unit"
  if ! systemctl is-active --quiet "$unit"; then
    systemctl start "$unit"
    say "started $unit"
  elif changed "^($own|.*/$unit\\.service|.*/bin/$agent)\$"; then
    systemctl restart "$unit"
    say "restarted $unit"
  elif changed '^/etc/prosaas/tls/'; then
    systemctl reload "$unit"
    say "reloaded the certificates of $unit"
  fi
done

#!/bin/sh
# restore-mounts.sh FOLDER — mounts again what a reboot took from the allocations of the Nomad client with that data
# folder: the memory file systems with secrets, and /alloc. Nomad starts their tasks again without those mounts, and
# would write secrets to the disk. To be called before the client starts; changes nothing when only the client was
# stopped.
set -eu
[ "$#" -eq 1 ] || { echo "Usage: restore-mounts.sh FOLDER" >&2; exit 2; }

# As Nomad makes them (client/allocdir/fs_linux.go): a megabyte each, and a marker. Older kernels know no noswap.
restore_memory() {
  mountpoint -q "$1" && return
  # Secrets that a client wrote here without the mount.
  find "$1" -mindepth 1 -xdev -delete
  mount -t tmpfs -o noexec,size=1m,noswap tmpfs "$1" 2>/dev/null || mount -t tmpfs -o noexec,size=1m tmpfs "$1"
  : >"$1/.nomad-mount"
  chmod 666 "$1/.nomad-mount"
}

for private in "$1"/alloc/????????-????-????-????-????????????/*/private; do
  task=${private%/private}
  # The folders of an allocation that has ended are removed with their mounts.
  [ -d "$private" ] && [ -d "$task/secrets" ] && [ -d "$task/alloc" ] || continue
  restore_memory "$task/secrets"
  restore_memory "$private"
  mountpoint -q "$task/alloc" || mount --bind "${task%/*}/alloc" "$task/alloc"
done

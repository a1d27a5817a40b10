# Files that a task sees besides /usr.
# shellcheck shell=bash

# chroot_entries BUN — the lines of `chroot_env` in the configuration of a Nomad client. The loader and the shell are
# named by their real files, because a symlink would be copied as a symlink.
chroot_entries() {
  local loader
  case $(uname -m) in
    x86_64) loader=/lib64/ld-linux-x86-64.so.2 ;;
    aarch64) loader=/lib/ld-linux-aarch64.so.1 ;;
  esac
  printf '    "%s" = "%s"\n' "$(readlink -f "$loader")" "$loader" "$(readlink -f /bin/sh)" /bin/sh
  printf '    "%s" = "%s"\n' "$1" /bin/bun
  local file
  for file in /etc/passwd /etc/group /etc/hosts /etc/nsswitch.conf /etc/resolv.conf; do
    [[ -e $file ]] && printf '    "%s" = "%s"\n' "$(readlink -f "$file")" "$file"
  done
}

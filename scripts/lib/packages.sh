# Debian's packages, installed without leaving Debian's own instances of the services running.
# shellcheck shell=bash

packages_missing() {
  local name
  for name in "$@"; do
    [[ $(dpkg-query -W -f='${db:Status-Status}' "$name" 2>/dev/null) == installed ]] || printf '%s\n' "$name"
  done
}

# packages_ensure NAME... — installs what is missing.
packages_ensure() {
  command -v dpkg-query >/dev/null ||
    fail "this script installs $* with apt, and this is no Debian: use Debian 12."
  local missing
  mapfile -t missing < <(packages_missing "$@")
  ((${#missing[@]})) || return 0

  local log
  log=$(mktemp -t prosaas-apt.XXXXXX)
  say_while 'apt-get update' "$log" apt-get update -q ||
    fail "apt-get update failed; is there a network and a mirror in /etc/apt/sources.list?"
  packages_forbid_service_starts
  local status=0
  say_while "installing ${missing[*]}" "$log" env DEBIAN_FRONTEND=noninteractive \
    apt-get install -y -q --no-install-recommends -o Dpkg::Options::=--force-confold "${missing[@]}" || status=$?
  packages_allow_service_starts
  ((status == 0)) || fail "apt-get could not install ${missing[*]}: see above and $log."
  packages_disable_services "${missing[@]}"
  rm -f "$log"
}

# While /usr/sbin/policy-rc.d exits 101, no maintainer script starts a service. An existing file is kept aside.
POLICY=/usr/sbin/policy-rc.d

packages_forbid_service_starts() {
  [[ -e $POLICY && ! -e $POLICY.prosaas ]] && mv "$POLICY" "$POLICY.prosaas"
  printf '#!/bin/sh\nexit 101\n' >"$POLICY"
  chmod 755 "$POLICY"
  trap packages_allow_service_starts EXIT
}

packages_allow_service_starts() {
  rm -f "$POLICY"
  if [[ -e $POLICY.prosaas ]]; then mv "$POLICY.prosaas" "$POLICY"; fi
  trap - EXIT
}

# Services that came with packages installed here must not start at the next boot either.
packages_disable_services() {
  local name unit
  for name in "$@"; do
    for unit in /lib/systemd/system/"$name".service /etc/init.d/"$name"; do
      [[ -e $unit ]] && update-rc.d "$name" disable >/dev/null 2>&1 && break
    done
  done
  return 0
}

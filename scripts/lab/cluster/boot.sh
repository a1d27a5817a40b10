#!/bin/sh
# boot.sh CGROUP… — becomes the first process of a node. It has joined the node's network; this joins the node's cgroups
# and gives the node mount and cgroup namespaces of its own, in which each of these cgroups is its hierarchy's root.
set -eu
for cgroup; do echo $$ >"$cgroup/cgroup.procs"; done
# shellcheck disable=SC2016 # the inner shell expands these
exec unshare --mount --cgroup --propagation private sh -euc '
  for cgroup; do
    root=${cgroup%/*/*}
    mount --bind "$cgroup" "$root"
    # Version 2 takes no processes beside the children that share its resources.
    if [ -d "$root/agents" ]; then echo $$ >"$root/agents/cgroup.procs"; fi
  done
  exec sleep infinity
' sh "$@"

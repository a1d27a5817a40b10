#!/bin/sh
# join.sh CGROUP… -- COMMAND… — runs COMMAND in these cgroups.
set -eu
while [ "$1" != -- ]; do
  cgroup=$1
  if [ -d "$cgroup/agents" ]; then cgroup=$cgroup/agents; fi
  echo $$ >"$cgroup/cgroup.procs"
  shift
done
shift
exec "$@"

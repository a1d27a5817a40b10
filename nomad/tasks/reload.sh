#!/bin/sh
# reload.sh FILE… -- COMMAND… runs COMMAND and sends it HUP within a second after a renderer has replaced one of the
# files. It passes TERM and INT on, and ends as COMMAND does.
#
# With change_mode = "signal", a file that is rendered while the task is between two processes fails the allocation
# (Nomad #5459), and nothing replaces a failed allocation of a system job (Nomad #12023).
set -u

files=
while [ "$1" != -- ]; do
  files="$files $1"
  shift
done
shift

# A renderer replaces a file as a whole, so that its inode and its time change.
state_of_files() {
  # shellcheck disable=SC2086 # split on purpose: one path each
  stat -c '%i %y' $files 2>/dev/null
}

# Read before the start: COMMAND may or may not have read what is rendered from here on.
state=$(state_of_files)
"$@" &
command=$!
trap 'kill -TERM "$command"' TERM
trap 'kill -INT "$command"' INT

while sleep 1; do
  now=$(state_of_files)
  [ "$now" = "$state" ] && continue
  state=$now
  kill -HUP "$command" 2>/dev/null
done &
watcher=$!

# `wait` returns at every signal; the process decides when it is over.
status=0
while kill -0 "$command" 2>/dev/null; do
  wait "$command"
  status=$?
done
kill "$watcher" 2>/dev/null
exit "$status"

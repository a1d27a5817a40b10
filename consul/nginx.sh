#!/bin/sh
# nginx.sh FILE runs nginx with the configuration that a renderer (Nomad's template block, or consul-template) keeps in
# FILE. RUN_DIR is a folder of nginx' own.
#
# HUP adopts the new FILE if it is not empty and nginx accepts it. Otherwise the old configuration goes on serving, and
# FILE is tried again every second. TERM and INT finish the requests in flight first.
#
# A reload leaves the old workers running until their streams end, 10 minutes at most (worker_shutdown_timeout). Before
# each reload the oldest of them are ended, so that any number of reloads leaves a bounded number of workers:
#
#   OLD_WORKERS       kept without calls (16): event streams reconnect and resume by Last-Event-ID.
#   OLD_CALL_WORKERS  kept with media streams of calls (24). A call survives the loss of its stream, with a gap.
#
# An idle worker takes 4 MB, one that served 1,000 requests at once 25 MB; the task may have 512 MB.
#
# nginx writes its access log into a pipe, because it may not open stdout of a task again.
#
# Changes that come faster than streams end share a reload, so that a storm of them ends no stream. Reloads are
# immediate while there are at most four old workers. Each further one delays the next reload by two seconds: without
# calls by six at most, as an allocation stops ten seconds after it left Consul (shutdown_delay). Beyond eight that
# carry calls there is no limit, so that under constant change a call keeps its worker for minutes.
set -u
# A HUP from here to the trap below needs no answer: nginx starts with the newest file. Without this it ends the script.
trap '' HUP

rendered=$1
live=$RUN_DIR/nginx.live.conf
pid_file=$RUN_DIR/nginx.pid # as the template names it
adopted=$RUN_DIR/nginx.adopted.conf
access_log=$RUN_DIR/access.log # as the template names it
# Ports of calls allocations, current and former ones: an allocation that drains still carries its calls.
calls_ports=$RUN_DIR/calls.ports
calls_sockets=$RUN_DIR/calls.sockets
old_workers=${OLD_WORKERS:-16}
old_call_workers=${OLD_CALL_WORKERS:-24}
nginx=
# Times in seconds: the earliest next reload, and when the pending timer fires.
due=0
timer=0

# A worker that is ended does not count its requests down. Each configuration therefore counts in a zone of its own.
adopt() {
  generation=$(date +%s%N)
  if [ -s "$rendered" ] && cp "$rendered" "$adopted" &&
    sed "s/concurrent_0/concurrent_$generation/" "$adopted" >"$live.next" && nginx -t -q -e stderr -c "$live.next"; then
    mv "$live.next" "$live"
    note_calls_ports
  else
    echo "nginx.sh: $rendered cannot be used; keeping the old configuration" >&2
    return 1
  fi
}

note_calls_ports() {
  current=$(sed -n '/upstream calls {/,/}/s/.* server .*:\([0-9]*\)[ ;].*/\1/p' "$live")
  {
    grep -vxF "$current" "$calls_ports" 2>/dev/null | tail -n 48
    echo "$current"
  } >"$calls_ports.next"
  mv "$calls_ports.next" "$calls_ports"
}

# The workers that serve what was open before a reload, newest first.
list_old_workers() {
  cat /proc/[0-9]*/stat 2>/dev/null | while read -r pid name _ parent rest; do
    [ "$name" = '(nginx)' ] && [ "$parent" = "$nginx" ] || continue
    grep -aq 'shutting down' "/proc/$pid/cmdline" 2>/dev/null || continue
    # shellcheck disable=SC2086 # split on purpose: field 22 of the line is the start time
    set -- $rest
    echo "${18} $pid"
  done | sort -rn | cut -d ' ' -f 2
}

# The inodes of established connections to calls allocations.
list_calls_sockets() {
  ports=$(while read -r port; do printf '|%04X' "$port"; done <"$calls_ports")
  cat /proc/net/tcp /proc/net/tcp6 2>/dev/null |
    sed -nE "s/^ *[0-9]+: [0-9A-F]+:[0-9A-F]+ [0-9A-F]+:(${ports#|}) 01 ([^ ]+ +){5}([0-9]+) .*/\3/p"
}

carries_calls() {
  # shellcheck disable=SC2010 # names of descriptors are numbers
  ls -l "/proc/$1/fd" 2>/dev/null | sed -n 's/.*socket:\[\([0-9]*\)\]$/\1/p' | grep -qxFf "$calls_sockets"
}

# Ends what exceeds the limits; sets `delay` to the seconds that the next reload has to wait.
end_oldest_workers() {
  list_calls_sockets >"$calls_sockets"
  idle=0
  carrying=0
  for pid in $(list_old_workers); do
    if carries_calls "$pid"; then
      carrying=$((carrying + 1))
      [ "$carrying" -le "$old_call_workers" ] || kill -TERM "$pid"
    else
      idle=$((idle + 1))
      [ "$idle" -le "$old_workers" ] || kill -TERM "$pid"
    fi
  done
  delay=$(((idle + carrying - 4) * 2))
  [ "$delay" -le 6 ] || delay=6
  [ "$delay" -ge $(((carrying - 8) * 2)) ] || delay=$(((carrying - 8) * 2))
}

# Schedules another HUP, unless one is pending.
retry_at() {
  [ "$timer" -le "$now" ] || return 0
  timer=$1
  { sleep $((timer - now)) && kill -HUP $$; } 3>&- &
}

# True once HUP reloads nginx, which writes its pid after it has set its handlers. Before that, HUP ends it.
handles_signals() {
  [ "$(cat "$pid_file" 2>/dev/null)" = "$nginx" ]
}

reload() {
  # nginx is not there yet: it starts with the newest file anyway.
  [ -n "$nginx" ] || return 0
  now=$(date +%s)
  if [ "$now" -lt "$due" ]; then
    retry_at "$due"
  elif ! handles_signals; then
    retry_at $((now + 1))
  elif adopt; then
    end_oldest_workers
    due=$((now + delay))
    kill -HUP "$nginx"
  else
    retry_at $((now + 1))
  fi
}

stop() {
  [ -n "$nginx" ] || exit 0
  kill -QUIT "$nginx"
}

# Without a reader nginx would wait for one, so the reader is replaced when stdout is closed (a full disk). It ends with
# the last writer: nginx, and this script by descriptor 3, which keeps the pipe open while nginx is not there.
rm -f "$access_log"
mkfifo -m 600 "$access_log"
(
  trap '' TERM INT
  until cat; do :; done
) <"$access_log" &
reader=$!
exec 3>"$access_log"

trap reload HUP
trap stop TERM INT

until adopt; do sleep 1; done
rm -f "$pid_file"
nginx -e stderr -c "$live" -g 'daemon off;' 3>&- &
nginx=$!
# Adopts a file that was rendered while nginx was starting.
cmp -s "$rendered" "$adopted" || reload

# `wait` returns at every signal; the process decides when it is over.
status=0
while kill -0 "$nginx" 2>/dev/null; do
  wait "$nginx"
  status=$?
done
exec 3>&-
wait "$reader"
exit "$status"

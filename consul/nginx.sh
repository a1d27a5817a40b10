#!/bin/sh
# nginx.sh FILE — runs nginx with the configuration that a renderer (Nomad's template block, or
# consul-template) keeps in FILE. RUN_DIR is a folder of nginx' own.
#
# On HUP the new FILE is adopted only if it is not empty and nginx accepts it; otherwise the old
# configuration goes on serving, and FILE is tried again every second. On TERM or INT requests in hand
# are finished first.
set -u

rendered=$1
live=$RUN_DIR/nginx.live.conf
nginx=

adopt() {
  if [ -s "$rendered" ] && cp "$rendered" "$live.next" && nginx -t -q -e stderr -c "$live.next"; then
    mv "$live.next" "$live"
  else
    echo "nginx.sh: $rendered cannot be used; keeping the old configuration" >&2
    return 1
  fi
}

reload() {
  # nginx is not there yet: it starts with the newest file anyway.
  [ -n "$nginx" ] || return 0
  if adopt; then
    kill -HUP "$nginx"
  else
    { sleep 1 && kill -HUP $$; } &
  fi
}

stop() {
  [ -n "$nginx" ] || exit 0
  kill -QUIT "$nginx"
}

trap reload HUP
trap stop TERM INT

until adopt; do sleep 1; done
nginx -e stderr -c "$live" -g 'daemon off;' &
nginx=$!
# What was rendered while nginx was on its way.
cmp -s "$rendered" "$live" || reload

# `wait` returns at every signal; the process decides when it is over.
status=0
while kill -0 "$nginx" 2>/dev/null; do
  wait "$nginx"
  status=$?
done
exit "$status"

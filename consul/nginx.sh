#!/bin/sh
# nginx.sh FILE — runs nginx with the configuration that a renderer (Nomad's template block, or
# consul-template) keeps in FILE.
#
# On HUP the new FILE is adopted only if it is not empty and nginx accepts it; otherwise the old
# configuration goes on serving. On TERM or INT requests in hand are finished first.
set -u

rendered=$1
live=$(dirname "$(mktemp -u)")/nginx.live.conf
nginx=

adopt() {
  [ -s "$rendered" ] || {
    echo "nginx.sh: $rendered is empty; keeping the old configuration" >&2
    return 1
  }
  cp "$rendered" "$live.next" && nginx -t -q -e stderr -c "$live.next" && mv "$live.next" "$live" || {
    echo "nginx.sh: nginx refuses $rendered; keeping the old configuration" >&2
    return 1
  }
}

trap 'adopt && [ -n "$nginx" ] && kill -HUP "$nginx"' HUP
trap '[ -n "$nginx" ] && kill -QUIT "$nginx" || exit 0' TERM INT

until adopt; do sleep 1; done
nginx -e stderr -c "$live" -g 'daemon off;' &
nginx=$!

# `wait` returns at every signal; the process decides when it is over.
status=0
while kill -0 "$nginx" 2>/dev/null; do
  wait "$nginx"
  status=$?
done
exit "$status"

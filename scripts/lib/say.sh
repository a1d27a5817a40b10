# Messages of a script. Progress goes to stderr, so that stdout stays free for results.
# shellcheck shell=bash

SAY_STARTED=${EPOCHREALTIME/[.,]/}

# seconds since the script began, one decimal
say_elapsed() {
  local tenths=$(((${EPOCHREALTIME/[.,]/} - SAY_STARTED) / 100000))
  printf '%d.%d s' $((tenths / 10)) $((tenths % 10))
}

say() { printf '  %s\n' "$*" >&2; }

# A headline with the time since the start.
step() { printf '\n%s  (%s)\n' "$*" "$(say_elapsed)" >&2; }

# Prints what is wrong and how to correct it; ends the script.
fail() {
  printf '\n%s: %s\n' "${0##*/}" "$*" >&2
  exit 1
}

# say_while LABEL LOG COMMAND... — runs COMMAND with its output in LOG and shows LABEL, the
# seconds and the log's last line until it ends. On failure prints the end of the log and returns COMMAND's status.
say_while() {
  local label=$1 log=$2 began=$SECONDS last='' shown=0 status=0 pid
  shift 2
  : >"$log"
  "$@" >>"$log" 2>&1 </dev/null &
  pid=$!
  # An interrupted script must not leave a compiler behind.
  trap 'kill "$pid" 2>/dev/null; trap - INT TERM; exit 130' INT TERM
  while kill -0 "$pid" 2>/dev/null; do
    last=$(tail -n 1 "$log" | tr -d '\r' | cut -c 1-60)
    if [[ -t 2 ]]; then
      printf '\r\033[K  %s … %d s  %s' "$label" $((SECONDS - began)) "$last" >&2
    elif ((SECONDS - began >= shown + 15)); then
      shown=$((SECONDS - began))
      say "$label … $shown s  $last"
    fi
    sleep 0.3
  done
  wait "$pid" || status=$?
  trap - INT TERM
  [[ -t 2 ]] && printf '\r\033[K' >&2
  if ((status)); then
    say "$label failed after $((SECONDS - began)) s. The end of $log:"
    tail -n 20 "$log" >&2
    return "$status"
  fi
  say "$label: $((SECONDS - began)) s"
}

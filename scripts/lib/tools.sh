# The Go programs of the stack: nomad, consul, consul-template, task. Taken from PATH if new enough,
# otherwise built once from the modules pinned in scripts/tools/<name>/ into the user's cache.
# shellcheck shell=bash

CACHE_DIR=${XDG_CACHE_HOME:-$HOME/.cache}/prosaas/tools

# The oldest version that does: dynamic host volumes came with Nomad 1.10; Consul 1.22.0 to 1.22.4 cut
# long polls at 30 s; consul-template and task: what the files of this repository were written against.
declare -A TOOL_MINIMUM=([nomad]=1.10.0 [consul]=1.20.0 [consul-template]=0.39.0 [task]=3.40.0)
declare -A TOOL_PACKAGE=(
  [nomad]=github.com/hashicorp/nomad
  [consul]=github.com/hashicorp/consul
  [consul-template]=github.com/hashicorp/consul-template
  [task]=github.com/go-task/task/v3/cmd/task
)
declare -A TOOL_TAGS=([nomad]=hashicorpmetrics)

# tools_ensure NAME... — afterwards each NAME is on PATH.
tools_ensure() {
  local name
  for name in "$@"; do
    tool_on_path "$name" && continue
    tool_build "$name"
    PATH=$(tool_folder "$name"):$PATH
  done
  export PATH
}

# True if NAME need not be built.
tool_available() { tool_on_path "$1" || [[ -x $(tool_folder "$1")/$1 ]]; }

# True if PATH has a version that is new enough.
tool_on_path() {
  local version
  version=$(tool_found "$1") || return 1
  [[ $1 == consul && $version =~ ^1\.22\.[0-4]$ ]] && return 1
  version_at_least "$version" "${TOOL_MINIMUM[$1]}"
}

# The version of the program on PATH.
tool_found() {
  local answer
  case $1 in
    nomad | consul) answer=$("$1" version 2>/dev/null) || return 1 ;;
    *) answer=$("$1" --version 2>&1) || return 1 ;;
  esac
  [[ $answer =~ [0-9]+\.[0-9]+\.[0-9]+ ]] && printf '%s\n' "${BASH_REMATCH[0]}"
}

version_at_least() { [[ $(printf '%s\n%s\n' "$2" "$1" | sort -V | head -n 1) == "$2" ]]; }

tool_version() {
  local module=${TOOL_PACKAGE[$1]%/cmd/*}
  sed -nE "s|^(require )?[[:space:]]*${module} v([^ ]+).*|\2|p" "$ROOT/scripts/tools/$1/go.mod" | head -n 1
}

# The cache's key is the version and the hash of all it was built from.
tool_folder() {
  local hash
  hash=$(cat "$ROOT/scripts/tools/$1/go.mod" "$ROOT/scripts/tools/$1/go.sum" | sha256sum)
  printf '%s/%s-%s-%s\n' "$CACHE_DIR" "$1" "$(tool_version "$1")" "${hash:0:12}"
}

tool_build() {
  local name=$1 folder lock
  folder=$(tool_folder "$name")
  [[ -x $folder/$name ]] && return
  mkdir -p "$CACHE_DIR"
  exec {lock}>"$CACHE_DIR/.$name.lock"
  flock -n "$lock" || {
    say "$name is being built by another process; waiting for it"
    flock "$lock"
  }
  if [[ ! -x $folder/$name ]]; then
    tool_require_compilers "$name"
    say "$name ${TOOL_MINIMUM[$name]} or newer is not on PATH: building $(tool_version "$name") once, into $folder"
    local work
    work=$(mktemp -d "$CACHE_DIR/.$name.XXXXXX")
    # A copy, because -mod=mod may write: the checkout stays as it is.
    cp "$ROOT/scripts/tools/$name/go.mod" "$ROOT/scripts/tools/$name/go.sum" "$work/"
    say_while "building $name ($(nproc) cores; nomad and consul take some minutes)" "$work/build.log" \
      env -C "$work" CGO_ENABLED="$(tool_cgo "$name")" GOFLAGS= GOWORK=off \
      go build -v -mod=mod -trimpath -ldflags '-s -w' -tags "${TOOL_TAGS[$name]:-}" \
      -o "$work/$name" "${TOOL_PACKAGE[$name]}" ||
      fail "$name could not be built (log: $work/build.log): put $name ${TOOL_MINIMUM[$name]} or newer on PATH."
    mkdir -p "$folder"
    mv -T "$work/$name" "$folder/$name"
    rm -rf "$work"
  fi
  exec {lock}>&-
}

# Without cgo Nomad has no isolation in its exec driver; the others are plain Go.
tool_cgo() { [[ $1 == nomad ]] && printf 1 || printf 0; }

tool_require_compilers() {
  command -v go >/dev/null ||
    fail "neither $1 ${TOOL_MINIMUM[$1]} nor Go 1.21 or newer is on PATH: install one of them (https://go.dev/dl)."
  local version
  version=$(go env GOVERSION)
  # From 1.21 on, Go fetches the toolchain that a go.mod asks for.
  version_at_least "${version#go}" 1.21.0 ||
    fail "Go ${version#go} is too old to build $1: install 1.21 or newer (https://go.dev/dl)."
  if [[ $1 == nomad ]] && ! command -v "$(go env CC)" >/dev/null; then
    packages_ensure gcc libc6-dev
  fi
}

# Bun at the version pinned in package.json (engines.bun), from npm, in the user's cache, with the checksum in
# scripts/tools/bun; and the packages of bun.lock.
# shellcheck shell=bash

bun_version() { sed -nE 's/.*"bun": *"[>=^~]*([0-9]+\.[0-9]+\.[0-9]+)".*/\1/p' "$ROOT/package.json" | head -n 1; }

# npm's name of Bun's build for this processor.
bun_package() {
  case $(uname -m) in
    x86_64) grep -qw avx2 /proc/cpuinfo && printf 'bun-linux-x64' || printf 'bun-linux-x64-baseline' ;;
    aarch64) printf 'bun-linux-aarch64' ;;
    *) fail "Bun has no build for a $(uname -m) processor." ;;
  esac
}

# bun_verify FILE BUILD — npm checks a download against what the registry says; this is what was reviewed.
bun_verify() {
  local sums=$ROOT/scripts/tools/bun/sha256sums wanted found
  wanted=$(awk -v build="$2" '$2 == build { print $1 }' "$sums")
  [[ $wanted ]] || fail "$sums has no checksum of $2: add the SHA-256 of its bin/bun."
  found=$(sha256sum "$1" | cut -d ' ' -f 1)
  [[ $found == "$wanted" ]] ||
    fail "$2 from the registry has the SHA-256 $found, not $wanted as in $sums: do not use it before you know why."
}

# bun_ensure — afterwards the pinned bun is the first on PATH.
bun_ensure() {
  local folder package lock
  package=$(bun_package)
  folder=$CACHE_DIR/bun-$(bun_version)
  if [[ ! -x $folder/bun ]]; then
    command -v npm >/dev/null ||
      fail "Bun comes from npm and npm is missing: apt-get install npm, or install Node (https://nodejs.org)."
    mkdir -p "$CACHE_DIR"
    exec {lock}>"$CACHE_DIR/.bun.lock"
    flock "$lock"
    if [[ ! -x $folder/bun ]]; then
      local work
      work=$(mktemp -d "$CACHE_DIR/.bun.XXXXXX")
      # The platform's own package: `bun` itself only fetches it, in an install script that npm 11 blocks.
      say_while "installing Bun $(bun_version)" "$work/npm.log" \
        npm install --prefix "$work" --ignore-scripts --no-save --no-audit --no-fund "@oven/$package@$(bun_version)" ||
        fail "npm could not install @oven/$package@$(bun_version) (log: $work/npm.log)."
      bun_verify "$work/node_modules/@oven/$package/bin/bun" "$package-$(bun_version)"
      mkdir -p "$folder"
      mv -T "$work/node_modules/@oven/$package/bin/bun" "$folder/bun"
      rm -rf "$work"
    fi
    exec {lock}>&-
  fi
  export PATH=$folder:$PATH
}

# dependencies_ensure — node_modules as bun.lock says; nothing to do if it was installed from this lock.
dependencies_ensure() {
  local stamp=$ROOT/node_modules/.prosaas-lock want lock
  local inputs=("$ROOT/bun.lock" "$ROOT/package.json" "$ROOT"/lib/patches/*)
  want=$(sha256sum "${inputs[@]}")
  [[ -r $stamp && $(<"$stamp") == "$want" ]] && return
  mkdir -p "$ROOT/node_modules"
  exec {lock}<"$ROOT/node_modules"
  flock "$lock"
  if [[ ! -r $stamp || $(<"$stamp") != "$want" ]]; then
    local log
    log=$(mktemp -t prosaas-bun.XXXXXX)
    say_while 'bun install' "$log" bun install --cwd "$ROOT" --frozen-lockfile --no-progress ||
      fail "bun install failed (log: $log)."
    printf '%s\n' "$want" >"$stamp"
    rm -f "$log"
  fi
  exec {lock}<&-
}

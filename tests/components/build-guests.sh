#!/usr/bin/env bash
# Builds the JavaScript and Python example guests, and installs the tools for that:
#
#     build-guests.sh OUT_DIR [javascript|python ...]
#
# It creates OUT_DIR/{javascript,python}-{executor,selector,acme}.wasm and installs the tools in
# OUT_DIR/tools. Only Node.js or Python itself is installed globally, if it is missing and the user is
# root on Debian. A component whose sources have not changed is not built again. Several runs at the
# same time are safe: the later ones wait for the first.
set -euo pipefail

readonly COMPONENTIZE_QJS_VERSION=0.4.5
readonly COMPONENTIZE_PY_VERSION=0.25.1

main() {
  [ $# -ge 1 ] || fail "usage: build-guests.sh OUT_DIR [javascript|python ...]"
  mkdir -p "$1"
  out=$(cd "$1" && pwd)
  shift
  [ $# -ge 1 ] || set -- javascript python

  exec 9>"$out/.build-guests.lock"
  flock 9
  scratch=$(mktemp -d "$out/.scratch.XXXXXX")
  trap 'rm -rf "$scratch"' EXIT

  local language
  for language in "$@"; do
    case $language in
      javascript | python) ;;
      *) fail "unknown language '$language'; use javascript or python" ;;
    esac
    build "$language" executor
    build "$language" selector
    build "$language" acme
  done
}

# Builds one component, unless the existing one was built from the same files.
build() {
  local language=$1 role=$2
  local component=$out/$language-$role.wasm stamp
  stamp=$(fingerprint "$language")
  if [ -f "$component" ] && [ "$(cat "$component.stamp" 2>/dev/null)" = "$stamp" ]; then
    return
  fi

  # A copy, because componentize-py leaves compiled files beside the sources.
  rm -rf "$scratch/$language"
  cp -R "$here/$language" "$scratch/$language"
  "tools_$language"
  rm -f "$component.stamp"
  quietly "building $language-$role.wasm" "componentize_$language" "$role" "$scratch/component.wasm"
  mv "$scratch/component.wasm" "$component"
  echo "$stamp" >"$component.stamp"
  echo "built $component"
}

# The world of wit/worlds.wit for a component.
world() {
  case $1 in
    acme) echo typed-executor-plugin ;;
    *) echo "$1-plugin" ;;
  esac
}

# A digest of all that a language's components depend on: sources, contract, and this script.
fingerprint() {
  cd "$here"
  find "$1" ../../wit build-guests.sh -type f \( -path "$1/*" -o -name '*.wit' -o -name '*.sh' \) \
    ! -path '*/__pycache__/*' -print0 | sort -z | xargs -0 sha256sum | sha256sum
}

tools_javascript() {
  tools=$out/tools/componentize-qjs-$COMPONENTIZE_QJS_VERSION
  [ ! -f "$tools/complete" ] || return 0
  need node nodejs
  need npm npm
  rm -rf "$tools" && mkdir -p "$tools"
  quietly "installing componentize-qjs" npm install --prefix "$tools" --ignore-scripts --no-audit \
    --no-fund --loglevel=error "componentize-qjs@$COMPONENTIZE_QJS_VERSION"
  touch "$tools/complete"
}

componentize_javascript() {
  "$tools/node_modules/.bin/componentize-qjs" --wit "$wit" --world "$(world "$1")" \
    --js "$scratch/javascript/$1.js" --module-root "$scratch/javascript" --sync -o "$2"
}

tools_python() {
  tools=$out/tools/componentize-py-$COMPONENTIZE_PY_VERSION
  [ ! -f "$tools/complete" ] || return 0
  need python3 python3
  python3 -c 'import ensurepip, venv' 2>/dev/null || install python3-venv "Python's venv module"
  rm -rf "$tools" && mkdir -p "$tools"
  quietly "creating a Python environment" python3 -m venv "$tools"
  quietly "installing componentize-py" "$tools/bin/pip" install --quiet \
    --disable-pip-version-check "componentize-py==$COMPONENTIZE_PY_VERSION"
  touch "$tools/complete"
}

componentize_python() {
  # Without VIRTUAL_ENV it would use the packages of the first Python in PATH.
  VIRTUAL_ENV=$tools "$tools/bin/componentize-py" --wit-path "$wit" --world "$(world "$1")" \
    componentize --python-path "$scratch/python" --output "$2" "$1"
}

# need PROGRAM PACKAGE: installs the package unless the program is there.
need() {
  command -v "$1" >/dev/null || install "$2" "$1"
}

# install PACKAGE NAME
install() {
  if [ "$(id -u)" != 0 ] || ! command -v apt-get >/dev/null; then
    fail "$2 is missing; install it (on Debian: apt-get install $1) and run this again"
  fi
  quietly "reading Debian's package lists" apt-get update
  quietly "installing $1" env DEBIAN_FRONTEND=noninteractive \
    apt-get install -y --no-install-recommends "$1"
}

# quietly WHAT COMMAND...: shows the output of the command only if it fails.
quietly() {
  local what=$1
  shift
  "$@" >"$scratch/log" 2>&1 9>&- || {
    cat "$scratch/log" >&2
    fail "$what failed; see above"
  }
}

fail() {
  echo "build-guests.sh: $1" >&2
  exit 1
}

here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
wit=$(cd "$here/../../wit" && pwd)
main "$@"

#!/usr/bin/env bash
# Builds the JavaScript and Python practice guests, and installs the tools for that:
#
#     build-guests.sh OUT_DIR [javascript|python ...]
#
# It makes OUT_DIR/{javascript,python}-{executor,selector}.wasm. The tools go to OUT_DIR/tools;
# nothing is installed globally but, for root on Debian, Node.js or Python itself. What is there and
# still fits is left alone. It may run several times at once: the later runs wait for the first.
set -euo pipefail

readonly COMPONENTIZE_QJS_VERSION=0.4.5
readonly COMPONENTIZE_PY_VERSION=0.25.1

main() {
  [ $# -ge 1 ] || fail "say where to: build-guests.sh OUT_DIR [javascript|python ...]"
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
      *) fail "there are no guests in '$language'; choose javascript or python" ;;
    esac
    build "$language" executor
    build "$language" selector
  done
}

# Makes one component, unless the one there was made of the same files.
build() {
  local language=$1 role=$2
  local component=$out/$language-$role.wasm stamp
  stamp=$(fingerprint "$language")
  if [ -f "$component" ] && [ "$(cat "$component.stamp" 2>/dev/null)" = "$stamp" ]; then
    return
  fi

  # A copy, since componentize-py leaves compiled files beside the sources.
  rm -rf "$scratch/$language"
  cp -R "$here/$language" "$scratch/$language"
  "tools_$language"
  rm -f "$component.stamp"
  quietly "building $language-$role.wasm" "componentize_$language" "$role" "$scratch/component.wasm"
  mv "$scratch/component.wasm" "$component"
  echo "$stamp" >"$component.stamp"
  echo "built $component"
}

# What a language's components are made of: their sources, the contract, and this script.
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
  "$tools/node_modules/.bin/componentize-qjs" --wit "$wit" --world "$1-plugin" \
    --js "$scratch/javascript/$1.js" --module-root "$scratch/javascript" --sync --stub-wasi -o "$2"
}

tools_python() {
  tools=$out/tools/componentize-py-$COMPONENTIZE_PY_VERSION
  [ ! -f "$tools/complete" ] || return 0
  need python3 python3
  python3 -c 'import ensurepip, venv' 2>/dev/null || install python3-venv "Python's venv module"
  rm -rf "$tools" && mkdir -p "$tools"
  quietly "making a Python environment" python3 -m venv "$tools"
  quietly "installing componentize-py" "$tools/bin/pip" install --quiet \
    --disable-pip-version-check "componentize-py==$COMPONENTIZE_PY_VERSION"
  touch "$tools/complete"
}

componentize_python() {
  # VIRTUAL_ENV keeps it from looking at the packages of whatever Python comes first.
  VIRTUAL_ENV=$tools "$tools/bin/componentize-py" --wit-path "$wit" --world "$1-plugin" \
    componentize --python-path "$scratch/python" --stub-wasi --output "$2" "$1"
}

# need PROGRAM PACKAGE: the program is there, or it is installed.
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

# quietly WHAT COMMAND...: says what the command printed only if it fails.
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

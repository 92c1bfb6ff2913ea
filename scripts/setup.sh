#!/usr/bin/env bash
# Makes .venv with everything that the given purpose needs: `run` (the package) or `dev` (also tests, linters, docs).
# Does nothing where that has been done for this pyproject.toml.
set -euo pipefail
cd "$(dirname "$0")/.."
purpose=${1:?usage: scripts/setup.sh run|dev}

stamp=.venv/.made-for-$purpose-$(sha256sum pyproject.toml scripts/setup.sh | sha256sum | cut -c1-16)
[ ! -e "$stamp" ] || exit 0

debian() { # package, why
  if dpkg -s "$1" >/dev/null 2>&1; then return; fi
  if [ "$(id -u)" != 0 ]; then
    echo "The Debian package $1 is needed ($2). Install it with: sudo apt-get install $1" >&2
    exit 1
  fi
  echo "Installing the Debian package $1 ($2)" >&2
  apt-get update -qq && DEBIAN_FRONTEND=noninteractive apt-get install -y -qq "$1" >/dev/null
}

has_initdb() { # Debian keeps the server's programs off the PATH
  command -v initdb >/dev/null || compgen -G '/usr/lib/postgresql/*/bin/initdb' >/dev/null
}

find_python() {
  local name
  for name in ${PYTHON:-python3.11 python3.12 python3.13 python3}; do
    if command -v "$name" >/dev/null && "$name" -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null; then
      echo "$name"
      return
    fi
  done
  echo "Python 3.11 or newer is needed; none is on the PATH. Name one with PYTHON=/path/to/python3" >&2
  return 1
}

if command -v dpkg >/dev/null; then
  debian libgomp1 "LightGBM's threads"
fi
if [ "$purpose" = dev ] && ! has_initdb; then
  if ! command -v dpkg >/dev/null; then
    echo "PostgreSQL's server is needed (the tests start one), initdb on the PATH; Debian's package is postgresql." >&2
    exit 1
  fi
  debian postgresql "the tests start a server"
fi
if [ "$purpose" = dev ] && [ ! -x /usr/bin/chromium ] && command -v dpkg >/dev/null; then
  debian chromium "the tests of the pages"
fi
python=$(find_python)

if command -v uv >/dev/null; then
  [ -x .venv/bin/python ] || uv venv --quiet --python "$python" .venv
  if [ "$purpose" = dev ]; then uv pip install --quiet --python .venv -e '.[postgres]' --group dev; else uv pip install --quiet --python .venv -e .; fi
else
  if [ ! -x .venv/bin/python ]; then
    if ! "$python" -c 'import ensurepip, venv' 2>/dev/null; then
      command -v dpkg >/dev/null || { echo "$python lacks the module venv: install it." >&2; exit 1; }
      debian "$("$python" -c 'import sys; print(f"python{sys.version_info[0]}.{sys.version_info[1]}-venv")')" "virtual environments"
    fi
    "$python" -m venv .venv
  fi
  .venv/bin/python -m pip install --quiet --upgrade 'pip>=25.1'
  if [ "$purpose" = dev ]; then .venv/bin/python -m pip install --quiet -e '.[postgres]' --group dev; else .venv/bin/python -m pip install --quiet -e .; fi
fi

if ! .venv/bin/python -c 'import understudy, lightgbm, onnxruntime'; then
  echo "The environment in .venv does not work; remove it and try again." >&2
  exit 1
fi
rm -f .venv/.made-for-"$purpose"-*
touch "$stamp"

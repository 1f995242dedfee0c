#!/bin/sh
# Installs uv at its locked version into .uv: get-uv.sh PYTHON
set -eu
python=$1

if ! "$python" -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null; then
    echo "make needs Python 3.11 or newer as '$python'; name another one with PYTHON=…, or install uv" >&2
    exit 1
fi
echo "Installing uv"
install="install --quiet --disable-pip-version-check --root-user-action ignore --no-cache-dir --require-hashes -r locks/uv.txt"
if "$python" -c 'import ensurepip' 2>/dev/null; then
    "$python" -m venv .uv
    .uv/bin/python -m pip $install
elif "$python" -m pip --version >/dev/null 2>&1; then  # Debian without python3-venv
    "$python" -m pip $install --target .uv --upgrade
else
    echo "'$python' has neither ensurepip nor pip: install them (such as 'apt install python3-venv'), or install uv" >&2
    exit 1
fi
touch .uv/bin/uv

#!/usr/bin/env bash
# Resolves requirements/*.in into hash-locked *.txt files. The resolver itself comes from requirements/lock.txt.
#   scripts/lock.sh [--upgrade]
set -euo pipefail
cd "$(dirname "$0")/.."
tools=.cache/lock-tools
[ -x "$tools/bin/uv" ] || {
    .venv/bin/python -m venv --without-pip "$tools"
    .venv/bin/python -m pip --python "$tools/bin/python" install --quiet --require-hashes -r requirements/lock.txt
}
resolve() {
    "$tools/bin/uv" pip compile --quiet --universal --python-version 3.11 --generate-hashes \
        --custom-compile-command 'make lock' "$@"
}
for name in lock bootstrap runtime controller; do
    echo "resolving requirements/$name.in"
    resolve "requirements/$name.in" --output-file "requirements/$name.txt" "${@:1}"
done

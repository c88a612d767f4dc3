#!/bin/sh
# Prints a Python that mediafleet runs on: $PYTHON, or the newest supported one on PATH.
set -eu

supported() {
    "$1" -c 'import sys; sys.exit(sys.version_info < (3, 11))' >/dev/null 2>&1
}

if [ -n "${PYTHON:-}" ]; then
    if ! supported "$PYTHON"; then
        found=$("$PYTHON" --version 2>&1) || found="no program that runs"
        echo "mediafleet needs Python 3.11 or newer, but PYTHON=$PYTHON is $found." >&2
        exit 1
    fi
    command -v "$PYTHON"
    exit
fi
for name in python3.13 python3.12 python3.11 python3; do
    if supported "$name"; then
        command -v "$name"
        exit
    fi
done
found=$(python3 --version 2>&1) || found="no python3"
echo "mediafleet needs Python 3.11 or newer; PATH has $found." \
    "Install one, or name it: make setup PYTHON=/path/to/python3.11" >&2
exit 1

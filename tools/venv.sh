#!/bin/sh
# Makes $VENV afresh, so that nothing a former lock put there stays behind.
set -eu

python=$("$(dirname "$0")/python.sh")
"$python" -c 'import ensurepip, venv' 2>/dev/null || {
    echo "$python lacks the venv module (on Debian: apt install python3-venv)." >&2
    exit 1
}
echo "  $VENV with $python"
"$python" -m venv --clear "$VENV"

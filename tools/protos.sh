#!/bin/sh
# Renews the Python code of the contract in sdk/mediafleet/v1.
#
#   tools/protos.sh           write it
#   tools/protos.sh --check   write nothing; fail if the committed code differs
#
# The generators live in an environment of their own, .venv-protos, because
# grpcio-tools holds grpcio and protobuf back.
set -eu
cd "$(dirname "$0")/.."

venv=.venv-protos
lock=tools/protos.lock
stamp=$venv/protos.lock
if ! cmp -s "$lock" "$stamp"; then
    "$(tools/python.sh)" -m venv --clear "$venv"
    "$venv/bin/python" -m pip install --quiet --disable-pip-version-check \
        --no-compile --no-deps --require-hashes --only-binary :all: -r "$lock"
    cp "$lock" "$stamp"
fi

generate() { # into the directory $1
    # protoc finds its plugins by PATH.
    PATH="$PWD/$venv/bin:$PATH" "$venv/bin/python" -m grpc_tools.protoc -I protos \
        --python_out="$1" --mypy_out=quiet:"$1" \
        --grpc_python_out="$1" --mypy_grpc_out=quiet,generate_concrete_servicer_stubs:"$1" \
        protos/mediafleet/v1/*.proto
}

fresh=$(mktemp -d)
trap 'rm -rf "$fresh"' EXIT
generate "$fresh"
made=$fresh/mediafleet/v1
kept=sdk/mediafleet/v1

case "${1:-}" in
'')
    mkdir -p "$kept"
    rm -f "$kept"/*_pb2.py "$kept"/*_pb2.pyi "$kept"/*_pb2_grpc.py "$kept"/*_pb2_grpc.pyi
    cp "$made"/* "$kept"
    ;;
--check)
    diff -rq --exclude=__init__.py --exclude=__pycache__ "$made" "$kept" || {
        echo "$kept is not what protos/ says: run make protos and commit the result" >&2
        exit 1
    }
    ;;
*)
    echo "usage: tools/protos.sh [--check]" >&2
    exit 2
    ;;
esac

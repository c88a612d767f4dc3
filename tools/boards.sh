#!/bin/sh
# Holds deploy/grafana/*.json to Grafana's own types, of each version in tools/boards. Needs Node; without it there is
# nothing to run.
set -eu
cd "$(dirname "$0")/.."
. tools/node.sh

if ! node_is_here; then
    echo "types of boards: skipped, as Node is absent"
    exit
fi
install_modules

# As deep below tools/ as tools/boards, whose imports are relative.
work=$(mktemp -d "$PWD/tools/.boards.XXXXXX")
trap 'rm -rf "$work"' EXIT
trap 'exit 1' INT TERM
for version in 11 13; do
    mkdir "$work/$version"
    cp tools/boards/*.ts "tools/boards/$version"/*.ts "$work/$version"
    for board in deploy/grafana/*.json; do
        # On one line with the board's first, so that the lines of errors are those of the JSON.
        { printf 'import type { Board } from "./board"; export const board: Board = ' && cat "$board"; } \
            >"$work/$version/$(basename "$board" .json).json.ts"
    done
done
cd "$work"
../node_modules/.bin/tsc --noEmit --strict --target es2022 --lib es2022 --module esnext --moduleResolution bundler \
    --skipLibCheck */*.ts

#!/bin/sh
# Holds protos/ to buf's rules (buf.yaml). Needs Node; without it there is nothing to run.
#
#   tools/buf.sh             lint, format, and no change that breaks a client of the baseline
#   tools/buf.sh --baseline  make today's protos the baseline: at a release, or for a break that is meant
set -eu
cd "$(dirname "$0")/.."

. tools/node.sh

baseline=protos/baseline.binpb

if ! node_is_here; then
    case "${1:-}" in
    '') echo "buf: skipped, as Node is absent" ; exit ;;
    *) echo "buf needs Node and npm" >&2 ; exit 1 ;;
    esac
fi
install_modules

buf() {
    # buf wants a place for its cache, also where there is no home.
    BUF_CACHE_DIR="$PWD/$modules/.cache" "$modules/.bin/buf" "$@"
}

case "${1:-}" in
'')
    buf lint
    buf format --diff --exit-code
    buf breaking --against "$baseline" || {
        echo "The change breaks clients of the baseline. If it is meant: make protos-baseline" >&2
        exit 1
    }
    ;;
--baseline) buf build --exclude-source-info --output "$baseline" ;;
*)
    echo "usage: tools/buf.sh [--baseline]" >&2
    exit 2
    ;;
esac

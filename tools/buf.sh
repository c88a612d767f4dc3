#!/bin/sh
# Holds protos/ to buf's rules (buf.yaml). Needs Node; without it there is nothing to run.
#
#   tools/buf.sh             lint, format, and no change that breaks a client of the baseline
#   tools/buf.sh --baseline  make today's protos the baseline: at a release, or for a break that is meant
set -eu
cd "$(dirname "$0")/.."

baseline=protos/baseline.binpb
modules=tools/node_modules
stamp=$modules/.package-lock.installed

if ! command -v npm >/dev/null 2>&1 || ! command -v node >/dev/null 2>&1; then
    case "${1:-}" in
    '') echo "buf: skipped, as Node is absent" ; exit ;;
    *) echo "buf needs Node and npm" >&2 ; exit 1 ;;
    esac
fi
if ! cmp -s tools/package-lock.json "$stamp"; then
    # Within tools/: --prefix would look for npm's global settings there, a mirror or an authority of one's own.
    (cd tools && npm ci --ignore-scripts --no-audit --no-fund --loglevel=error)
    cp tools/package-lock.json "$stamp"
fi

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

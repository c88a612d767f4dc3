#!/bin/sh
# Every check that needs no running system: tools/check.sh VENV_BIN. Runs all of them, then fails if one did.
set -u

bin=$1
failed=

check() {
    name=$1
    shift
    if output=$("$@" 2>&1); then
        case $output in
        *skipped*) echo "skip    $output" ;;
        *) echo "ok      $name" ;;
        esac
    else
        failed=1
        echo "FAILED  $name"
        printf '%s\n' "$output"
    fi
}

check "lint" "$bin/ruff" check --quiet
check "format" "$bin/ruff" format --check --quiet
check "types" "$bin/mypy"
check "imports" "$bin/lint-imports"
check "locks" tools/check_locks.sh
check "locked dependencies" "$bin/python" tools/check_lock_fresh.py
check "generated code" tools/protos.sh --check
check "contract" tools/buf.sh
check "prometheus rules and metrics" tools/check_prometheus.sh "$bin"
check "dashboards" "$bin/python" -m deploy.grafana --check
exit "${failed:-0}"

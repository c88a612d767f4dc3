#!/bin/sh
# Every check that needs no running system: tools/check.sh VENV_BIN DEPLOY_BIN. Runs all of them, then fails if one did.
set -u

bin=$1
deploy=$2
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
check "configuration reference" "$bin/python" -m tools.configuration --check
check "image locks" "$bin/python" -m tools.image_locks --check
check "rules and boards" "$bin/python" -m tools.deploy --check
check "manifests" "$deploy/python" tools/manifests.py
check "images" "$deploy/hadolint" deploy/images/gateway.Dockerfile deploy/images/workers.Dockerfile
check "generated code" tools/protos.sh --check
check "contract" tools/buf.sh
check "prometheus rules and metrics" tools/check_prometheus.sh "$bin"
check "dashboards" "$bin/python" -m deploy.grafana --check
check "types of dashboards" tools/boards.sh
exit "${failed:-0}"

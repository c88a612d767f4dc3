#!/bin/sh
# Holds rules, rule tests and metrics to promtool, which is taken from Debian's package: tools/check_prometheus.sh VENV_BIN.
set -eu
cd "$(dirname "$0")/.."

bin=$1
target=$bin/../prometheus
status=0
tools/prometheus.sh "$target" || status=$?
case $status in
0) ;;
3) echo "prometheus: skipped, as there is no apt" ; exit ;;
*) exit "$status" ;;
esac
promtool=$target/usr/bin/promtool

"$promtool" check rules deploy/prometheus/rules/*.yaml
"$promtool" test rules deploy/prometheus/tests/*.yaml
page=$(mktemp)
trap 'rm -f "$page"' EXIT
"$bin/python" tools/metrics_page.py >"$page"
"$promtool" check metrics <"$page"

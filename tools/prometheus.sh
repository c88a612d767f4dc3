#!/bin/sh
# Unpacks Debian's prometheus and promtool into a folder: tools/prometheus.sh FOLDER. Installs nothing on the machine
# and needs no root; exits 3 where there is no apt.
set -eu

mkdir -p "$1"
target=$(cd "$1" && pwd)
[ -x "$target/usr/bin/promtool" ] && exit 0
command -v apt-get >/dev/null && command -v dpkg-deb >/dev/null || {
    echo "no apt here: prometheus is taken from Debian's package" >&2
    exit 3
}
# By one at a time, and there at once or not at all: tests side by side ask for it.
exec 9>"$target/.lock"
! command -v flock >/dev/null || flock 9
[ -x "$target/usr/bin/promtool" ] && exit 0
work=$(mktemp -d "$target/new.XXXXXX")
trap 'rm -rf "$work"' EXIT
mkdir -p "$work/lists/partial" "$work/cache/archives/partial"
apt() {
    apt-get -qq -o Dir::State::Lists="$work/lists" -o Dir::Cache="$work/cache" -o APT::Sandbox::User= "$@"
}
cd "$work"
apt update
apt download prometheus
dpkg-deb -x prometheus_*.deb "$work/unpacked"
rm -rf "$target/usr"
mv "$work/unpacked/usr" "$target/usr"

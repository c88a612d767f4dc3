#!/bin/sh
# Builds the images without a container engine and has them take one picture: tools/try_images.sh FOLDER. Needs root,
# buildah and debootstrap (Debian has both), about 2.5 GB in FOLDER, and the environment of make setup.
set -eu

folder=$(realpath "$1")
cd "$(dirname "$0")/.."
base=localhost/debian-python

printf '{"default": [{"type": "insecureAcceptAnything"}]}' >"$folder/policy.json"
buildah() {
    command buildah --root "$folder/store" --runroot "$folder/run" --storage-driver vfs "$@"
}

debootstrap --variant=minbase --include=python3,python3-venv,ca-certificates bookworm "$folder/base" >"$folder/base.log"
ln -sf python3 "$folder/base/usr/bin/python"
# Whatever lets this machine reach its package index.
cp /etc/ssl/certs/ca-certificates.crt "$folder/base/etc/ssl/certs/ca-certificates.crt"
container=$(buildah from scratch)
buildah add -q "$container" "$folder/base" / >/dev/null
buildah config --env PIP_CERT=/etc/ssl/certs/ca-certificates.crt "$container"
buildah commit -q --signature-policy "$folder/policy.json" "$container" "$base"

for image in gateway workers; do
    buildah bud --isolation chroot --signature-policy "$folder/policy.json" --build-arg "BASE=$base" \
        -f "deploy/images/$image.Dockerfile" -t "mediafleet-$image" .
    buildah from --signature-policy "$folder/policy.json" --name "$image" "localhost/mediafleet-$image"
done
buildah images
.venv/bin/python -m tests.deploy.try_images "$folder"

#!/bin/sh
# Makes the image's build stage base out of this machine's own Go toolchain,
# for a machine that cannot pull golang from a registry:
#
#	deploy/base.sh kecho-go
#	GO_IMAGE=kecho-go docker compose up --build
#
# The image holds Go and an empty /tmp, and nothing else: no shell, no
# certificates. That is enough because every RUN of the Dockerfile's build stage
# is in exec form. Modules have to be in the build context then, as
# `go mod vendor` puts them there.
set -eu
image=${1:?usage: deploy/base.sh IMAGE}
goroot=$(go env GOROOT)
root=$(mktemp -d)
trap 'rm -rf "$root"' EXIT
mkdir -m 1777 "$root/tmp"
tar -c --owner=0 --group=0 \
	--exclude='./test' --exclude='./doc' --exclude='./api' --exclude='testdata' \
	--transform 's,^\./,usr/local/go/,' -C "$goroot" . -C "$root" tmp |
	docker import --change 'ENV PATH=/usr/local/go/bin' --change 'ENV GOTOOLCHAIN=local' - "$image" >/dev/null
echo "$image is this machine's $(go env GOVERSION)"

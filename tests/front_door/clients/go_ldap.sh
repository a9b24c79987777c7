#!/bin/sh
# go-ldap against the directory at a URI: builds go_ldap.go, which is beside it, with Debian's sources, and runs it. go_ldap.sh URI;
# go_ldap.sh --build only fills Go's cache, which the first time takes longer than a directory is waited for.
set -eu
folder="$(mktemp -d)"
trap 'rm -rf "$folder"' EXIT
cp "$(dirname "$0")/go_ldap.go" "$folder/main.go"
export GO111MODULE=off GOPATH=/usr/share/gocode GOFLAGS=
(cd "$folder" && go build -o go_ldap main.go)
[ "$1" = --build ] || "$folder/go_ldap" "$1"

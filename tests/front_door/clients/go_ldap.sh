#!/bin/sh
# go-ldap against the directory at a URI: builds and runs go_ldap.go beside it. go_ldap.sh URI
set -eu
folder="$(mktemp -d)"
trap 'rm -rf "$folder"' EXIT
cp "$(dirname "$0")/go_ldap.go" "$folder/main.go"
export HOME="$folder" GOCACHE="${UNDERSTUDY_GO_CACHE:-/tmp/understudy-go-cache}" GO111MODULE=off GOPATH=/usr/share/gocode GOFLAGS=
(cd "$folder" && go build -o go_ldap main.go)
"$folder/go_ldap" "$1"

#!/bin/sh
# Creates certificates in the current folder: of an authority, and by it of Keycloak and of the bridge.
set -eu

issue() {
    echo "$3" > "$1.ext"
    openssl req -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -keyout "$1.key" -out "$1.csr" -subj "$2"
    openssl x509 -req -in "$1.csr" -CA authority.pem -CAkey authority.key -CAcreateserial -days 365 -extfile "$1.ext" -out "$1.pem"
}

umask 077
openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 365 -subj /CN=authority -keyout authority.key -out authority.pem
issue keycloak /CN=127.0.0.1 subjectAltName=IP:127.0.0.1
issue bridge /O=Acme/CN=idp-bridge extendedKeyUsage=clientAuth

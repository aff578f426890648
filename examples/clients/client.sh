#!/bin/bash
# Signs a call to idp-bridge, sends it, and prints the answer or the problem. bash, curl, openssl 3 and GNU coreutils.
#
#   BRIDGE_URL=http://127.0.0.1:8080 BRIDGE_TENANT=acme BRIDGE_KEY=whsk_… \
#     bash client.sh users.get_by_email '{"email":"ada@acme.example"}'
#
# For trying things out: while `openssl` runs, a shared key (`whsec_…`) is visible to other users of this machine.
set -euo pipefail
umask 077
type=$1 data=$2
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT

# A repeated write has the id of its first attempt, so that it runs once.
id=${WEBHOOK_ID:-msg_$(openssl rand -hex 16)}
timestamp=$(date +%s)
body=$(printf '{"type":"%s","timestamp":"%s","tenant":"%s","data":%s}' \
  "$type" "$(date -u +%Y-%m-%dT%H:%M:%SZ)" "$BRIDGE_TENANT" "$data")
printf '%s.%s.%s' "$id" "$timestamp" "$body" > "$folder/message"

case $BRIDGE_KEY in
  whsec_*)
    key=$(printf '%s' "${BRIDGE_KEY#whsec_}" | base64 -d | od -An -v -tx1 | tr -d ' \n')
    version=v1
    openssl dgst -sha256 -mac HMAC -macopt "hexkey:$key" -binary "$folder/message" > "$folder/signature" ;;
  whsk_*)
    # PKCS #8 is this prefix and the seed.
    { printf '\x30\x2e\x02\x01\x00\x30\x05\x06\x03\x2b\x65\x70\x04\x22\x04\x20'
      printf '%s' "${BRIDGE_KEY#whsk_}" | base64 -d; } > "$folder/key.der"
    version=v1a
    openssl pkeyutl -sign -rawin -keyform DER -inkey "$folder/key.der" -in "$folder/message" > "$folder/signature" ;;
  *) echo 'the key begins with neither whsec_ nor whsk_' >&2; exit 1 ;;
esac

# `%{content_type}` distinguishes the problem of a bridge from the page of a proxy.
answer=$(curl -sS --max-time 31 "$BRIDGE_URL/v1/tenants/$BRIDGE_TENANT/webhook" \
  -H 'content-type: application/json' -H "webhook-id: $id" -H "webhook-timestamp: $timestamp" \
  -H "webhook-signature: $version,$(base64 -w0 "$folder/signature")" --data-raw "$body" \
  -o "$folder/answer" -w '%{http_code} %{content_type}')

case $answer in
  '200 application/json') cat "$folder/answer"; echo ;;
  *' application/problem+json')
    # The members of a problem are flat: `jq -r .code` is the better way where jq is installed.
    member() { sed -E "s/.*\"$1\":\"?([^\",}]*).*/\1/" "$folder/answer"; }
    echo "$(member code) (${answer%% *}): $(member title) retryable: $(member retryable), outcome: $(member outcome)" >&2
    exit 1 ;;
  *) echo "status ${answer%% *} is not from a bridge" >&2; exit 1 ;;
esac

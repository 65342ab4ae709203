#!/bin/sh
# Makes the two buckets and a user for each that may use it alone. It can be run again, and then changes nothing.
set -eu

secret() { cat "${SECRETS:-/run/secrets}/$1"; }

MC_HOST_store="http://manualqa-root:$(secret objects_root_password)@objects:9000"
export MC_HOST_store

for name in manualqa milvus; do
  mc mb --ignore-existing "store/$name"
  printf '%s\n%s\n' "$name" "$(secret "objects_${name}_key")" | mc admin user add store
  mc admin policy create store "only-$name" "/buckets/only-$name.json"
  mc admin policy attach store "only-$name" --user "$name" ||
    mc --json admin user info store "$name" | grep -q "only-$name" # it has it already, which mc calls an error
done

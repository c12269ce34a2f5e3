#!/usr/bin/env bash
# What an installed clew must do from any folder: smoke.sh SMALL_SHOP. Run on the built wheel by .ci/run.
set -euo pipefail
shop=$1
clew --version
clew init shop --catalogue "$shop/products.csv" --events "$shop/orders.jsonl"
clew graph ingest --catalogue "$shop/products.csv" --events "$shop/orders.jsonl" --mapping shop/clew.toml -w shop
clew graph stats -w shop --json
clew train -w shop --seed 1
user=$(head -n 1 "$shop/orders.jsonl" | sed -E 's/.*"customer": "([^"]+)".*/\1/')
clew recommend --user "$user" -k 5 -w shop
clew recommend --user "$user" -k 5 -w shop --json | python3 -c '
import json, sys
items = json.load(sys.stdin)["items"]
assert len(items) == 5, len(items)
for item in items:
    parts = sum(p["contribution"] for p in item["paths"]) + sum(item["rest"].values())
    assert abs(parts - item["score"]) <= 1e-6 * max(1, abs(item["score"])), item
'
clew cypher run product_card --param item="$(sed -n '2s/,.*//p' "$shop/products.csv")" -w shop
echo "smoke: all commands answered"

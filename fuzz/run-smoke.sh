#!/usr/bin/env bash
# Every fuzz target for some seconds, with a stable toolchain: seeds, then mutations of them that a seed repeats.
#
# FUZZ_SECONDS: for each target, 4. FUZZ_SEED: another search, 1.
set -euo pipefail
cd "$(dirname "$0")"

# What is built for the tests serves here too.
export CARGO_TARGET_DIR=${CARGO_TARGET_DIR:-$PWD/../target}
cargo build --locked --bins

for target in fuzz_targets/*.rs; do
    "$CARGO_TARGET_DIR/debug/$(basename "$target" .rs)" --seconds "${FUZZ_SECONDS:-4}" --seed "${FUZZ_SEED:-1}"
done

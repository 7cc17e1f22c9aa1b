#!/usr/bin/env bash
# The table of what was measured beside what is wanted, of a release build (Linux; some minutes with the build).
# With arguments only those parts: start, tokens, requests, forward, streams, stdio, dashboard. The peers of stdio come from npm:
# npm ci --prefix tests/bench/peers
set -euo pipefail
cd "$(dirname "$0")/../.."
cargo bench --locked --bench bench --no-run
# The servers that are measured have the first core; the load gets another where there is one.
last=$(($(nproc) - 1))
exec taskset --cpu-list "$((last > 0))-$last" cargo bench --locked --bench bench -- "$@"

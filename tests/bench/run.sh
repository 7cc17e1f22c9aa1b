#!/usr/bin/env bash
# The table of what was measured beside what is wanted, of a release build (Linux; some minutes with the build).
set -euo pipefail
cd "$(dirname "$0")/../.."
exec cargo bench --locked --bench bench

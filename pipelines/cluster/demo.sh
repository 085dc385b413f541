#!/usr/bin/env bash
# SPDX-License-Identifier: MIT OR Apache-2.0
#
# Examines photos and recordings on three Ray nodes that run on this machine.
#
#   pipelines/cluster/demo.sh [INPUT] [FOLDER]        (make cluster-demo INPUT=recordings OUTPUT=folder)
#
# Needs:  a folder with photos and videos; without it, clips of average faces, a photo and a broken file
# Shows:  the progress; writes results.parquet and results.files.parquet to FOLDER (default: target/cluster)
# Stop:   ends by itself, and stops the nodes
# shellcheck source-path=SCRIPTDIR source=../env.sh
set -euo pipefail
checkout=$(cd "$(dirname "${BASH_SOURCE[0]}")/../.." && pwd)
# Builds the plugin too, which renders the clips.
cargo build --locked --release --manifest-path "$checkout/Cargo.toml" --package gst-plugin-emotion --package emotion-scan --lib --bins
source "$checkout/pipelines/env.sh"
folder=${2:-$target/cluster}
input=${1:-$folder/clips}
mkdir -p "$folder"
[ -n "${1:-}" ] || "$(dirname "${BASH_SOURCE[0]}")/clips.sh" "$input"
"$target/cluster/python/bin/python" "$(dirname "${BASH_SOURCE[0]}")/demo.py" "$target/release/emotion-scan" "$input" "$folder"

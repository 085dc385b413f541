#!/usr/bin/env bash
# SPDX-License-Identifier: MIT OR Apache-2.0
#
# Measures emotion-scan on pictures of average faces, for `make bench`: its CPU time compared with gst-launch-1.0, a folder
# of photos, and one job compared with two.
set -euo pipefail
checkout=$(cd "$(dirname "${BASH_SOURCE[0]}")/../.." && pwd)
cargo build --quiet --locked --release --manifest-path "$checkout/Cargo.toml" \
    --package gst-plugin-emotion --package emotion-scan --lib --bins
source "$checkout/pipelines/env.sh"
work=$target/bench/scan
rm -rf "$work"
mkdir -p "$work/photos" "$work/clips"

# Runs a command and sets `wall` and `cpu` to its seconds.
measure() {
    local TIMEFORMAT='%R %U %S' times
    times=$({ time "$@" >/dev/null 2>&1; } 2>&1)
    read -r wall cpu < <(awk '{ print $1, $2 + $3 }' <<<"$times")
}
scan() { env -u GST_PLUGIN_PATH "$target/release/emotion-scan" --quiet "$@"; }

printf 'bench: preparing a clip and photos for emotion-scan\n'
render_clip "$work/clip.mp4"
gst-launch-1.0 -q filesrc location="$work/clip.mp4" ! decodebin ! videoconvert ! identity eos-after=28 ! jpegenc ! \
    multifilesink location="$work/photos/%02d.jpg"
rm -f "$work/photos/26.jpg" "$work/photos/27.jpg" "$work/photos/28.jpg"

measure gst-launch-1.0 -q filesrc location="$work/clip.mp4" ! decodebin ! videoflip video-direction=auto ! videoconvert ! \
    emotionfacedetect ! emotionclassify max-faces-per-frame=1000 model-file=expression ! emotionexport ! filesink location="$work/clip.ndjson"
launch=$cpu
measure scan "$work/clip.mp4" --output "$work/clip-scan.ndjson" --jobs 1
printf '| CPU of emotion-scan, of gst-launch-1.0 with the same elements | %.2f s, %.2f s: ratio %.2f |\n' \
    "$cpu" "$launch" "$(awk "BEGIN { print $cpu / $launch }")"

measure scan "$work/photos" --output "$work/photos.parquet"
printf '| %d photos | %.2f s |\n' "$(find "$work/photos" -name '*.jpg' | wc -l)" "$wall"

for copy in $(seq 1000); do ln "$work/photos/$(printf %02d $((copy % 26))).jpg" "$work/clips/$copy.jpg"; done
for copy in $(seq 50); do ln "$work/clip.mp4" "$work/clips/$copy.mp4"; done
measure scan "$work/clips" --output "$work/one.parquet" --jobs 1 --set '*.threads=1'
one=$wall
measure scan "$work/clips" --output "$work/two.parquet" --jobs 2
printf '| 1,000 photos and 50 clips, one job with one thread, two jobs | %.1f s, %.1f s: ratio %.2f |\n' \
    "$one" "$wall" "$(awk "BEGIN { print $one / $wall }")"

#!/usr/bin/env bash
# SPDX-License-Identifier: MIT OR Apache-2.0
#
# Detects and classifies the faces in a clip, draws them, exports them and prints a summary.
#
#   pipelines/demo.sh [FILE] [FOLDER]        (make demo INPUT=FILE OUTPUT=FOLDER)
#
# Needs:  nothing; without FILE it renders a clip of average faces, which show no real person
# Shows:  faces per frame and frames per second; writes demo.mp4, demo.ndjson, demo.png and a report,
#         demo.html, to FOLDER (default: target/demo)
# Stop:   ends by itself
# shellcheck source-path=SCRIPTDIR source=env.sh
source "$(dirname "${BASH_SOURCE[0]}")/env.sh"
input=${1:-}
folder=${2:-$target/demo}
mkdir -p "$folder"

if [ -z "$input" ]; then
    input=$folder/average-faces.mp4
    if [ ! -f "$input" ] || [ "$checkout/models/average-faces/neutral.png" -nt "$input" ]; then
        printf 'demo: rendering a clip of average faces\n'
        render_clip "$input.part"
        mv "$input.part" "$input"
    fi
fi

open_source_with_sound "$input" mp4 video.

# Limits the bit rate so that demo.mp4 is at most twice as large as its source, with 128 kbit/s for the sound. x264 may
# exceed its limit for up to a second. A picture has no duration.
sound_rate=$((${#sound[@]} ? 128 : 0))
rate=$({ LC_ALL=C gst-discoverer-1.0 "$input" 2>/dev/null || true; } |
    awk -F: -v bytes="$(stat -c %s "$input")" -v sound_rate=$sound_rate '$1 ~ /Duration/ {
        seconds = 3600 * $2 + 60 * $3 + $4
        rate = (1.9 * bytes * 8 / 1000 - sound_rate * seconds) / (seconds + 1)
        if (seconds) print int(rate > 50 ? rate : 50)
    }')
encode_within "${rate:-4000}" mp4

printf 'demo: analysing %s\n' "$input"
started=$(date +%s.%N)
gst-launch-1.0 -q "${source[@]}" ! \
    emotionfacedetect ! emotionclassify ! tee name=faces \
    faces. ! queue ! emotionoverlay ! \
    videoconvert ! "${encode[@]}" ! mp4mux name=video ! filesink location="$folder/demo.mp4" \
    faces. ! queue ! emotionexport format=ndjson ! filesink location="$folder/demo.ndjson" async=false \
    "${sound[@]}"
seconds=$(awk "BEGIN { print $(date +%s.%N) - $started }")

# Counts the frames and saves the one that shows the faces best.
printf '\n'
"$pipelines/report.sh" --summary "$folder/demo.png" "$folder/demo.ndjson" "$folder/demo.mp4" |
    awk -v seconds="$seconds" '
        $1 == "frames" { $0 = $0 sprintf(", %.1f per second including decoding, drawing and encoding", $2 / seconds) }
        { print }'
printf '  video         %s\n  records       %s\n' "$folder/demo.mp4" "$folder/demo.ndjson"

"$pipelines/report.sh" "$folder/demo.ndjson" "$input" "$folder/demo.html" >/dev/null
printf '  report        %s\n\n' "$folder/demo.html"

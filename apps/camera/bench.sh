#!/usr/bin/env bash
# SPDX-License-Identifier: MIT OR Apache-2.0
#
# Measures publishing and emotion-camera with a mosquitto on this machine: what publishing costs, 500 publishers at once, and
# how many cameras two cores hold. Takes about six minutes on an idle machine.
#
#   apps/camera/bench.sh [CAMERAS]...        (default: 1 2 3 4 5 6)
set -euo pipefail
checkout=$(cd "$(dirname "${BASH_SOURCE[0]}")/../.." && pwd)
cargo build --quiet --locked --release --manifest-path "$checkout/Cargo.toml" \
    --package gst-plugin-emotion --package emotion-camera --lib --bins
source "$checkout/pipelines/env.sh"
work=$target/bench/camera
rm -rf "$work"
mkdir -p "$work"
port=$((20000 + RANDOM % 10000))
printf 'listener %s 127.0.0.1\nallow_anonymous true\nmax_queued_messages 0\nmax_inflight_messages 0\n' "$port" >"$work/mosquitto.conf"
PATH=$PATH:/usr/sbin mosquitto -c "$work/mosquitto.conf" >"$work/mosquitto.log" 2>&1 &
trap 'kill $(jobs -p) 2>/dev/null || true' EXIT
broker=mqtt://127.0.0.1:$port/emotion
sleep 1
gst-inspect-1.0 emotionpublish >/dev/null # fills the registry

# Prints the CPU seconds of a command.
cpu_of() {
    local TIMEFORMAT='%U %S' times
    times=$({ time "$@" >/dev/null 2>&1; } 2>&1)
    awk '{ print $1 + $2 }' <<<"$times"
}
smallest() { printf '%s\n' "$@" | sort -g | head -n 1; }

printf 'bench: preparing a clip of 1280x720\n'
render_clip "$work/small.mp4"
gst-launch-1.0 -q filesrc location="$work/small.mp4" ! decodebin ! videoscale ! \
    video/x-raw,width=1280,height=720,pixel-aspect-ratio=1/1 ! videoconvert ! "${encode[@]}" ! mp4mux ! filesink location="$work/clip.mp4"

chain=(filesrc location="$work/clip.mp4" ! decodebin "${safe_decoding[@]}" ! videoconvert ! emotionfacedetect ! emotionclassify
    ! emotionexport)
plain=() published=()
for _ in 1 2 3; do
    plain+=("$(cpu_of gst-launch-1.0 -q "${chain[@]}" ! fakesink)")
    published+=("$(cpu_of gst-launch-1.0 -q "${chain[@]}" ! emotionpublish location="$broker/share")")
done
printf '| CPU of a clip of 10 s, exported and published | %s s, %s s: ratio %.3f |\n' "$(smallest "${plain[@]}")" \
    "$(smallest "${published[@]}")" "$(awk "BEGIN { print $(smallest "${published[@]}") / $(smallest "${plain[@]}") }")"

# 500 publishers in five processes, each with ten records of 300 bytes a second for 30 s.
mosquitto_sub -p "$port" -q 1 -t 'emotion/+/faces' >"$work/received.ndjson" &
subscriber=$!
printf '{"faces":"%s"}\n' "$(printf '%0287d' 0)" >"$work/record.ndjson"
processes=()
for process in 0 1 2 3 4; do
    line=()
    for publisher in $(seq 100); do
        line+=(multifilesrc location="$work/record.ndjson" loop=true num-buffers=300 caps="application/x-ndjson,schema=(string)faces" !
            identity sleep-time=100000 ! emotionpublish location="$broker/$process-$publisher")
    done
    gst-launch-1.0 -q "${line[@]}" &
    processes+=($!)
done
wait "${processes[@]}"
sleep 2
kill "$subscriber"
printf '| 500 publishers, 10 records a second each, for 30 s | %d of 150000 records received, %d of them different |\n' \
    "$(wc -l <"$work/received.ndjson")" "$(sort -u "$work/received.ndjson" | wc -l)"

# Prints the sum of a metric over all cameras.
metric() { cat "$work"/*.metrics | awk -v name="$1" '$1 ~ "^" name "({|$)" { sum += $2 } END { print sum + 0 }'; }
[ $# -gt 0 ] || set -- 1 2 3 4 5 6
for count; do
    running=()
    rm -f "$work"/*.metrics
    start=$SECONDS
    for camera in $(seq "$count"); do
        env -u GST_PLUGIN_PATH "$target/release/emotion-camera" --name "$camera" --loop "$work/clip.mp4" \
            --rtsp-listen "127.0.0.1:$((port + camera))" --publish-location "$broker/$camera" \
            --files-folder "$work/$camera" --metrics-listen "127.0.0.1:$((port + 100 + camera))" >"$work/$camera.log" 2>&1 &
        running+=($!)
    done
    sleep 40
    for camera in $(seq "$count"); do
        python3 -c 'import sys, urllib.request as web; print(web.urlopen(sys.argv[1]).read().decode())' \
            "http://127.0.0.1:$((port + 100 + camera))/metrics" >"$work/$camera.metrics"
    done
    seconds=$((SECONDS - start)) # a busy machine takes longer to answer
    used=$(ps -o cputimes= -p "$(IFS=,; printf '%s' "${running[*]}")" | awk '{ sum += $1 } END { print sum }')
    kill "${running[@]}"
    wait "${running[@]}" || true
    awk -v cameras="$count" -v seconds="$seconds" -v used="$used" -v received="$(metric emotion_frames_received_total)" \
        -v analysed="$(metric emotion_frames_analysed_total)" -v latency="$(metric emotion_latency_seconds)" \
        -v faces="$(metric emotion_face_sightings_total)" 'BEGIN {
            printf "| %d cameras of 1280x720 at 30 frames a second, %.1f faces each, served, recorded and published | ", cameras, faces / analysed
            printf "%.1f of %.1f frames a second analysed, %.0f ms, %.2f cores |\n", analysed / seconds / cameras, received / seconds / cameras, 1000 * latency / cameras, used / seconds }'
done

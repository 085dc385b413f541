#!/usr/bin/env bash
# SPDX-License-Identifier: MIT OR Apache-2.0
#
# Four cameras that publish to one broker, and a page that shows them, on this machine: a fleet to try.
#
#   pipelines/camera/fleet.sh [SOURCE]...        (make fleet)
#
# Needs:  mosquitto and mosquitto_sub (Debian: mosquitto, mosquitto-clients); without a source it plays a rendered clip of
#         average faces
# Shows:  the address of the page; every event, status and summary. The cameras are door, gate, hall and yard. A camera that
#         ends is started again after two seconds, as systemd does.
# Stop:   press Ctrl-C
#
# EMOTION_CAMERA=PROGRAM uses a program that is already built, with EMOTION_DASHBOARD=PROGRAM for the page or else without a
# page. FLEET=FOLDER is another folder than target/fleet.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/../.."
target=${CARGO_TARGET_DIR:-target}
folder=${FLEET:-$target/fleet}
mkdir -p "$folder"

program=${EMOTION_CAMERA:-$target/release/emotion-camera}
dashboard=${EMOTION_DASHBOARD:-}
if [ -z "${EMOTION_CAMERA:-}" ]; then
    # Builds the plugin too. In two separate builds, their shared dependencies would have different features.
    cargo build --locked --release --package gst-plugin-emotion --package emotion-camera --package emotion-dashboard \
        --lib --bins --features publish-nats
    dashboard=$target/release/emotion-dashboard
fi
if [ $# -eq 0 ]; then
    clip=$target/dashboard/average-faces.mp4
    mkdir -p "${clip%/*}"
    if [ ! -f "$clip" ]; then
        printf 'fleet: rendering a clip of average faces\n'
        # shellcheck source=../env.sh
        (source pipelines/env.sh; render_clip "$clip.part")
        mv "$clip.part" "$clip"
    fi
    set -- "$clip"
fi
# The elements are linked into the program; another copy of the plugin would conflict with them.
unset GST_PLUGIN_PATH

names=(door gate hall yard)
keepers=() broker='' subscriber='' page=''

# Ends all processes, cameras first, so that their goodbyes are shown.
stop() {
    trap - EXIT INT TERM
    [ ${#keepers[@]} -eq 0 ] || kill "${keepers[@]}" 2>/dev/null || true
    wait "${keepers[@]}" 2>/dev/null || true
    sleep 0.2
    [ -z "$page" ] || kill "$page" 2>/dev/null || true
    [ -z "$subscriber" ] || kill "$subscriber" 2>/dev/null || true
    [ -z "$broker" ] || kill "$broker" 2>/dev/null || true
    wait
    printf 'fleet: stopped\n'
}
trap stop EXIT
trap 'exit 130' INT
trap 'exit 143' TERM

# Starts a broker on a free port. One that is taken makes it end at once.
for ((attempt = 0; attempt < 20; attempt++)); do
    port=$((20000 + RANDOM % 10000))
    printf 'listener %s 127.0.0.1\nallow_anonymous true\n' "$port" >"$folder/mosquitto.conf"
    PATH=$PATH:/usr/sbin mosquitto -c "$folder/mosquitto.conf" >"$folder/mosquitto.log" 2>&1 &
    broker=$!
    for ((look = 0; look < 50; look++)); do
        kill -0 "$broker" 2>/dev/null || break
        if (: <>"/dev/tcp/127.0.0.1/$port") 2>/dev/null; then break 2; fi
        sleep 0.1
    done
    broker=''
done
if [ -z "$broker" ]; then
    printf 'fleet: mosquitto does not start:\n' >&2
    cat "$folder/mosquitto.log" >&2
    exit 1
fi
mosquitto_sub -p "$port" -q 1 -v -t 'emotion/#' &
subscriber=$!

# Runs the camera NAME with SOURCE until the script ends: keep NAME SOURCE
keep() {
    local camera=''
    trap 'kill "$camera" 2>/dev/null; wait "$camera"; exit 0' TERM
    while true; do
        "$program" --name "$1" --loop --size 640x480 --publish-location "mqtt://127.0.0.1:$port/emotion/$1" \
            --publish-schemas events,summary --publish-interval 10000 "$2" >>"$folder/$1.log" 2>&1 &
        camera=$!
        printf '%s\n' "$camera" >"$folder/$1.pid"
        wait "$camera" || printf 'fleet: %s ended with status %s and is started again\n' "$1" $?
        sleep 2 &
        wait $!
    done
}

for index in "${!names[@]}"; do
    sources=("$@")
    : >"$folder/${names[index]}.log"
    keep "${names[index]}" "${sources[index % $#]}" &
    keepers+=($!)
done
if [ -n "$dashboard" ]; then
    : >"$folder/page.log"
    "$dashboard" --listen 127.0.0.1:0 --data "$folder/page" "mqtt://127.0.0.1:$port/emotion/+" >"$folder/page.log" 2>&1 &
    page=$!
    for ((look = 0; look < 100; look++)); do
        kill -0 "$page" 2>/dev/null || break
        address=$(grep -m 1 '^http://' "$folder/page.log") && break
        sleep 0.1
    done
    if [ -z "${address:-}" ]; then
        printf 'fleet: the dashboard does not start:\n' >&2
        cat "$folder/page.log" >&2
        exit 1
    fi
    printf 'fleet: the page is at %s\n' "$address"
fi
printf 'fleet: four cameras publish to mqtt://127.0.0.1:%s; kill -9 "$(cat %s/door.pid)" is a crash; Ctrl-C stops all\n' \
    "$port" "$folder"
wait "$subscriber"

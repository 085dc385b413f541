# SPDX-License-Identifier: MIT OR Apache-2.0
"""Home Assistant beside a running emotion-camera: `homeassistant.py BROKER_PORT CAMERA_PID FOLDER`.

Starts Home Assistant with its data in FOLDER, adds the MQTT integration as its page does, waits until the entities of the camera
appear and follow it, ends the camera and waits until they say so. Needs the packages of requirements.txt.
"""

import json
import os
import signal
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.parse
import urllib.request
from pathlib import Path

PATIENCE_S = 180
CONFIGURATION = "http:\n  server_host: 127.0.0.1\n  server_port: {port}\napi:\nonboarding:\nconfig:\n"


class Server:
    """Home Assistant, by its REST API."""

    def __init__(self, folder):
        with socket.create_server(("127.0.0.1", 0)) as free:
            port = free.getsockname()[1]
        self.address, self.token = f"http://127.0.0.1:{port}", None
        (folder / "configuration.yaml").write_text(CONFIGURATION.format(port=port))
        command = [sys.executable, "-m", "homeassistant", "--skip-pip", "--config", str(folder)]
        self.process = subprocess.Popen(command, stdout=(folder / "output").open("w"), stderr=subprocess.STDOUT)

    def ask(self, path, message=None, form=None):
        """The answer to a GET, or to a POST of JSON or of a form."""
        request = urllib.request.Request(self.address + path)
        if self.token:
            request.add_header("Authorization", f"Bearer {self.token}")
        if message is not None:
            request.data = json.dumps(message).encode()
            request.add_header("Content-Type", "application/json")
        elif form is not None:
            request.data = urllib.parse.urlencode(form).encode()
        with urllib.request.urlopen(request, timeout=30) as answer:
            return json.load(answer)

    def is_up(self):
        assert self.process.poll() is None, "Home Assistant has ended"
        try:
            return self.ask("/api/onboarding")
        except (urllib.error.URLError, ConnectionError):
            return None

    def log_in(self):
        """Makes the first user."""
        client = self.address + "/"
        user = {"client_id": client, "name": "Test", "username": "test", "password": "a test", "language": "en"}
        code = self.ask("/api/onboarding/users", user)["auth_code"]
        form = {"client_id": client, "grant_type": "authorization_code", "code": code}
        self.token = self.ask("/auth/token", form=form)["access_token"]

    def add_mqtt(self, port):
        """What the page does for "Add integration"."""
        flow = self.ask("/api/config/config_entries/flow", {"handler": "mqtt", "show_advanced_options": False})
        assert flow["step_id"] == "broker", flow
        added = self.ask(f"/api/config/config_entries/flow/{flow['flow_id']}", {"broker": "127.0.0.1", "port": port})
        assert added["type"] == "create_entry", added

    def entities(self):
        """The state of each entity that MQTT has, by its name."""
        states = {state["entity_id"]: state for state in self.ask("/api/states")}
        return {name: state for name, state in states.items() if ".front_door_" in name}


def until(what, ask):
    """The first answer of `ask` that is not empty."""
    end = time.monotonic() + PATIENCE_S
    while not (answer := ask()):
        assert time.monotonic() < end, f"timed out waiting for {what}"
        time.sleep(0.2)
    return answer


def follow(server, camera):
    """The entities appear, follow the camera, and say that it has ended."""
    state = lambda name: server.entities().get(name, {}).get("state")
    names = ["binary_sensor.front_door_connected", "event.front_door_face", "sensor.front_door_faces"]
    switches = ["number.front_door_frames_between_searches"] + [
        f"switch.front_door_{name}" for name in ("analysis", "blur_faces", "totals_only")
    ]
    until("all entities", lambda: sorted(server.entities()) == sorted(names + switches))
    until("a connected camera", lambda: state(names[0]) == "on")
    until("a face", lambda: state(names[2]) == "1")
    seen = {}

    def event(*wanted):
        attributes = server.entities()[names[1]]["attributes"]
        seen.setdefault(attributes.get("event_type"), attributes)
        return all(kind in seen for kind in wanted)

    until("events", lambda: event("turned", "eyes_closed", "expression"))
    assert seen["turned"]["direction"] in ("left", "right") and seen["turned"]["active"] in (True, False), seen
    assert seen["expression"]["apparent_expression"], seen
    assert {"appeared", "blink", "speaking", "left"} < set(seen["turned"]["event_types"]), seen
    until("the switches", lambda: [state(name) for name in switches] == ["1", "on", "off", "off"])
    for name in switches[2:]:
        server.ask("/api/services/switch/turn_on", {"entity_id": name})
        until(f"{name} to be on", lambda name=name: state(name) == "on")
    server.ask("/api/services/switch/turn_off", {"entity_id": switches[1]})
    server.ask("/api/services/number/set_value", {"entity_id": switches[0], "value": 3})
    until("all switches", lambda: [state(name) for name in switches] == ["3", "off", "on", "on"])
    os.kill(camera, signal.SIGTERM)
    until("a camera that is not connected", lambda: state(names[0]) == "off")
    assert {state(name) for name in names[1:] + switches} == {"unavailable"}, server.entities()
    print("followed", *names)


def main():
    broker, camera, folder = int(sys.argv[1]), int(sys.argv[2]), Path(sys.argv[3])
    server = Server(folder)
    try:
        until("Home Assistant", server.is_up)
        server.log_in()
        server.add_mqtt(broker)
        follow(server, camera)
        complaints = [line for line in (folder / "output").read_text().splitlines() if "ERROR" in line and "mqtt" in line]
        assert not complaints, complaints
    finally:
        server.process.terminate()
        server.process.wait(60)


if __name__ == "__main__":
    main()

# SPDX-License-Identifier: MIT OR Apache-2.0
"""Uses the client that openapi-python-client has made: `client.py ADDRESS PHOTO FILM`. The server has one source that plays."""

import json
import sys
import time
from pathlib import Path

from emotion_dashboard_client import Client
from emotion_dashboard_client.api.default import (
    delete_job, examine_video, find_faces, get_health, get_job, get_result, get_summary, list_models, list_sources, set_switches,
)
from emotion_dashboard_client.models import FindFacesTurn, JobState, Problem, SwitchChange
from emotion_dashboard_client.types import File


def main(address, photo, film):
    client = Client(base_url=address, timeout=60)
    assert get_health.sync(client=client).status == "ok"
    roles = [network.role for network in list_models.sync(client=client).networks]
    assert "detector" in roles and "expression" in roles, roles

    with Path(photo).open("rb") as picture:
        found = find_faces.sync(client=client, body=File(picture), geometry=True, turn=FindFacesTurn.AUTO)
    labels = [face.label for face in sorted(found.faces, key=lambda face: face.box.x)]
    assert labels == ["happiness", "neutral"] and found.picture.width == 320, found
    assert abs(found.faces[0].pose.yaw) < 20 and found.faces[0].scores["happiness"] > 0.5, found
    refused = find_faces.sync(client=client, body=File(Path(__file__).open("rb")))
    assert isinstance(refused, Problem) and refused.status == 415, refused

    # The generated client has no type for lines, but the response has them.
    with Path(film).open("rb") as clip:
        answer = examine_video.sync_detailed(client=client, body=File(clip), every=0.5)
    lines = [json.loads(line) for line in answer.content.splitlines()]
    assert answer.status_code == 200 and lines[-1]["type"] == "end" and lines[-1]["frames"] == 3, lines
    with Path(film).open("rb") as clip:
        job = examine_video.sync(client=client, body=File(clip), every=0.5, prefer="respond-async")
    while get_job.sync(job.id, client=client).state in (JobState.QUEUED, JobState.RUNNING):
        time.sleep(0.1)
    assert get_result.sync_detailed(job.id, client=client).content == answer.content
    assert delete_job.sync_detailed(job.id, client=client).status_code == 204

    source = list_sources.sync(client=client).sources[0]
    switches = set_switches.sync(source.id, client=client, body=SwitchChange(interval=2))
    assert switches.interval == 2 and not switches.blur, switches
    while isinstance(summary := get_summary.sync(source.id, client=client), Problem):
        time.sleep(0.1)
    assert summary.frames > 0, summary


main(*sys.argv[1:])

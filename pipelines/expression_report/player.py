# SPDX-License-Identifier: MIT OR Apache-2.0
"""The player of the video on the page: a click on a time or on a chart plays it there.

The page has a script only if there is a video to play, and its content policy allows that script alone, by its hash.
"""

import base64
import hashlib
import os
import pathlib
import urllib.parse

from .text import SECOND, clock, escaped

SCRIPT = pathlib.Path(__file__).with_name("player.js")
POLICY = "default-src 'none'; img-src data:; style-src 'unsafe-inline'"
# Formats that browsers play.
SUFFIXES = (".m4v", ".mov", ".mp4", ".ogv", ".webm")


class Player:
    """The video of the records, by its address relative to the page."""

    def __init__(self, video_path, page_path):
        path = os.path.relpath(video_path, pathlib.Path(page_path).parent)
        self.address = urllib.parse.quote(path.replace(os.sep, "/"))
        self.name = pathlib.Path(video_path).name

    def fields(self, axis):
        """Returns the fields of page.html."""
        script = SCRIPT.read_text(encoding="utf-8")
        digest = base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()
        return {
            "policy": f"{POLICY}; script-src 'sha256-{digest}'; media-src 'self' file:",
            "player": (
                f'<section id="player" class="player" aria-label="Video" hidden data-start="{axis.start / SECOND:.6f}" '
                f'data-length="{axis.length / SECOND:.6f}"><video controls preload="metadata" src="{escaped(self.address)}">'
                "</video></section>"
            ),
            "script": f"<script>{script}</script>",
        }


NO_PLAYER = {"policy": POLICY, "player": "", "script": ""}


def find_player(records_path, video_path, page_path):
    """Returns the player of the video, by default of the one beside the records with the same name; None without one."""
    records_path = pathlib.Path(records_path)
    paths = [pathlib.Path(video_path)] if video_path else [records_path.with_suffix(suffix) for suffix in SUFFIXES]
    path = next((path for path in paths if path.suffix.lower() in SUFFIXES and path.is_file()), None)
    return Player(path, page_path) if path else None


def moment(time, player):
    """A time as text; with a player, as a link that plays the video there, also without the script."""
    text = clock(time)
    if player is None:
        return text
    seconds = f"{time / SECOND:.3f}"
    return f'<a class="moment" href="{escaped(player.address)}#t={seconds}" data-time="{seconds}">{text}</a>'

# SPDX-License-Identifier: MIT OR Apache-2.0
"""Fills page.html with the records."""

import contextlib
import pathlib
import string

from .face_page import page_of_faces
from .key_frames import Video
from .player import NO_PLAYER, find_player
from .records import BadInput, in_one_pass, read_records
from .summary_page import page_of_summaries
from .text import count, escaped

TEMPLATE = pathlib.Path(__file__).with_name("page.html")


def write_report(records_path, page_path=None, video_path=None):
    """Writes the page of an NDJSON file and returns its path: `page_path`, by default beside the file.

    With `video_path` the page has pictures of the faces. It also plays that video, or else one beside the records with the
    same name. Raises BadInput if a file cannot be read or written.
    """
    records_path = pathlib.Path(records_path)
    page_path = pathlib.Path(page_path) if page_path else records_path.with_suffix(".html")
    records, notes = read_records(records_path)
    player = find_player(records_path, video_path, page_path)
    if player is None and not video_path:
        records = in_one_pass(records, notes)
    name = f"{records_path.name}, {pathlib.Path(video_path).name}" if video_path else records_path.name
    try:
        page = render(records, name, video_path, notes, player)
    except MixedRecords as error:
        raise BadInput(f"{records_path}: {error}") from None
    try:
        page_path.write_text(page, encoding="utf-8")
    except OSError as error:
        raise BadInput(f"{page_path}: cannot be written: {error.strerror}") from None
    return page_path


class MixedRecords(BadInput):
    """Records of faces and summaries in one list."""


def render(records, name, video_path=None, notes=(), player=None):
    """Returns the page of records as HTML. `name` is the page's title; `notes` are shown at its foot."""
    kinds = {"summary" if record["type"] == "summary" else "face" for record in records}
    if len(kinds) > 1:
        raise MixedRecords("expected records of one kind, found faces and summaries")
    fields, axis = page_fields(records, kinds, video_path, list(notes), player)
    fields |= player.fields(axis) if player and axis else NO_PLAYER
    fields["notes"] = "".join(f"<li>{escaped(note)}</li>" for note in fields["notes"])
    template = string.Template(TEMPLATE.read_text(encoding="utf-8"))
    return template.substitute(fields, name=escaped(name), records=count(len(records), "record"))


def page_fields(records, kinds, video_path, notes, player):
    if video_path and not pathlib.Path(video_path).is_file():
        raise BadInput(f"{video_path}: expected a video, found no such file")
    if not records:
        return empty_page(notes), None
    if kinds == {"summary"}:
        if video_path:
            notes.append("There are no pictures of faces, because the export has totals only.")
        return page_of_summaries(records, notes)
    with Video(pathlib.Path(video_path)) if video_path else contextlib.nullcontext() as video:
        return page_of_faces(records, notes, video, player)


def empty_page(notes):
    blank = dict.fromkeys(["tiles", "overall_title", "overall_words", "overall", "shares_title", "shares"], "")
    return {**blank, "faces": "<p>The file has no records: no faces were found.</p>", "notes": notes}

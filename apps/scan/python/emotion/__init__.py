# SPDX-License-Identifier: MIT OR Apache-2.0
"""Finds faces in photos and recordings and scores their apparent expression.

    import emotion

    table = emotion.scan("recordings", every=0.2)  # a pyarrow.Table: one row for each face of each examined frame
    table.to_pandas().groupby("file")["score_happiness"].mean()

    for face in emotion.faces(picture):  # a numpy array of RGB pixels
        print(face["label"], face["score"], face["box"])

docs/scan.md describes the columns. `scan` releases the interpreter's lock while it works.
"""

from __future__ import annotations

import json
import os
import tempfile
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple, NotRequired, TypedDict

from . import _gstreamer

_gstreamer.use_libraries()  # before the module is loaded

from . import _emotion

if TYPE_CHECKING:
    import numpy
    import pyarrow

__all__ = ["Box", "Face", "Pose", "Tables", "faces", "scan", "scan_tables"]

PathLike = str | os.PathLike[str]


class Box(TypedDict):
    """Left, top, width and height in 0..1 of the picture."""

    x: float
    y: float
    w: float
    h: float


class Pose(TypedDict):
    """The pose of a head in degrees; all are 0 for one that faces the camera upright."""

    #: Above 0 if the person has turned to the own left.
    yaw: float
    #: Above 0 if the head is raised.
    pitch: float
    #: Above 0 if the head is tilted clockwise in the picture.
    roll: float


class Face(TypedDict):
    """A face in a picture."""

    box: Box
    #: The detector's confidence, 0..1.
    confidence: float | None
    #: x and y in 0..1 of `right_eye`, `left_eye`, `nose`, `right_mouth` and `left_mouth`; None if the detector has none.
    landmarks: dict[str, tuple[float, float]] | None
    #: Apparent expression, or "unknown"; None if the face was not scored.
    label: str | None
    #: Why the label is "unknown": "uncertain", "small" or "turned".
    reason: str | None
    #: Score of the label, 0..1; None if the face is too small to be scored.
    score: float | None
    #: The most probable class after the label.
    second: str | None
    #: Score of each class.
    scores: dict[str, float]
    #: With `geometry`: the pose of the head.
    pose: NotRequired[Pose]
    #: With `geometry`: how far to rely on it, 0..1; the pose from 0.1 on, blendshapes from 0.5 on.
    trust: NotRequired[float]
    #: With `geometry`: True if the face faces the camera; None if the pose is not reliable.
    facing: NotRequired[bool | None]
    #: With `geometry`: 52 blendshapes by their names in ARKit, 0..1.
    blendshapes: NotRequired[dict[str, float]]


class Tables(NamedTuple):
    """The two tables of a scan."""

    #: One row for each face of each examined frame.
    faces: pyarrow.Table
    #: One row for each file: its kind, length, number of frames and faces, and its error.
    files: pyarrow.Table


def scan(
    path: PathLike | Iterable[PathLike],
    *,
    every: float | None = None,
    exact: bool = False,
    where_faces: float | None = None,
    prior: str | None = None,
    baseline: str | None = None,
    turn: int | str = 0,
    geometry: bool = False,
    set: Mapping[str, Any] | None = None,
    jobs: int | None = None,
) -> pyarrow.Table:
    """Examines photos, videos and folders, or their URLs, and returns a row for each face of each examined frame.

    `every` is the number of seconds between examined frames; without it, every frame is examined. The keyframes nearest to
    these times are taken where keyframes are that close; `exact` takes the first frame at or after each time, which decodes
    all frames. With `where_faces`, such as 1, a first look takes frames at most twice so many seconds apart, and only the spans
    around faces are examined. `prior` is the assumed frequency of the expressions: "natural", as in front of a camera, which is
    the default, or "balanced", all equally frequent. With `baseline` "track", the scores in a video are relative to how each face
    looks at rest. `turn` is the number of degrees, 0, 90, 180 or 270, by which pictures are turned clockwise before
    they are searched, or "auto": a photo with few faces is searched in all four directions. `geometry` adds the columns of the
    head's pose, the blendshapes, facing the camera and blinks. `set` has properties of elements, such as
    `{"facedetect.tile-size": 640}`. `jobs` is the number of files examined at the same time; without it, one for each core.
    A file that cannot be read has no rows; `scan_tables` also returns its error.

    Raises ValueError for a wrong option, OSError if the disk is full, and RuntimeError if a model is missing.
    """
    tables = scan_tables(
        path,
        every=every,
        exact=exact,
        where_faces=where_faces,
        prior=prior,
        baseline=baseline,
        turn=turn,
        geometry=geometry,
        set=set,
        jobs=jobs,
    )
    return tables.faces


def scan_tables(
    path: PathLike | Iterable[PathLike],
    *,
    every: float | None = None,
    exact: bool = False,
    where_faces: float | None = None,
    prior: str | None = None,
    baseline: str | None = None,
    turn: int | str = 0,
    geometry: bool = False,
    set: Mapping[str, Any] | None = None,
    jobs: int | None = None,
) -> Tables:
    """Does the same as `scan`, and also returns a row for each file."""
    import pyarrow.parquet

    paths = [path] if isinstance(path, (str, os.PathLike)) else list(path)
    with tempfile.TemporaryDirectory(prefix="emotion-") as folder:
        output = Path(folder, "scan.parquet")
        schedule, examination = (every, exact, where_faces), (prior, baseline, str(turn), geometry)
        _emotion.scan(paths, output, schedule, examination, _settings(set), jobs)
        faces, files = output, output.with_suffix(".files.parquet")
        return Tables(*(pyarrow.parquet.read_table(table, memory_map=False) for table in (faces, files)))


def faces(array: numpy.ndarray, *, geometry: bool = False, set: Mapping[str, Any] | None = None) -> list[Face]:
    """Returns the faces of one picture, in the detector's order.

    `array` has the type uint8 and the shape (height, width, 3), RGB, or (height, width), grey. `geometry` adds
    the pose of each head and its blendshapes. `set` has properties of elements, as for `scan`. The models stay loaded until a
    call with other arguments.

    Raises ValueError for an array of another type or shape.
    """
    shape = tuple(array.shape)
    if str(array.dtype) != "uint8" or len(shape) not in (2, 3) or (len(shape) == 3 and shape[2] != 3) or 0 in shape:
        expected = "expected uint8 pixels of shape (height, width, 3) or (height, width)"
        raise ValueError(f"{expected}, found {array.dtype} of shape {shape}")
    channels = 3 if len(shape) == 3 else 1
    found: list[Face] = json.loads(_emotion.faces(array.tobytes(), (shape[1], shape[0], channels), geometry, _settings(set)))
    return found


def _settings(properties: Mapping[str, Any] | None) -> list[str]:
    def text(value: Any) -> str:
        return str(value).lower() if isinstance(value, bool) else str(value)

    return [f"{name}={text(value)}" for name, value in (properties or {}).items()]

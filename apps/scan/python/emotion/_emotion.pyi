# SPDX-License-Identifier: MIT OR Apache-2.0
import os
from collections.abc import Sequence
from pathlib import Path

def scan(
    inputs: Sequence[str | os.PathLike[str]],
    output: Path,
    schedule: tuple[float | None, bool, float | None],
    examination: tuple[str | None, str | None, str, bool],
    set: list[str],
    jobs: int | None,
) -> list[tuple[str, str]]: ...
def faces(pixels: bytes, shape: tuple[int, int, int], geometry: bool, set: list[str]) -> str: ...

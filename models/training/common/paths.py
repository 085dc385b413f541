# SPDX-License-Identifier: MIT OR Apache-2.0
"""Folders of the repository."""

from pathlib import Path

MODELS = Path(__file__).resolve().parents[2]
REPOSITORY = MODELS.parent


def in_repository(path):
    """True for a path in the repository outside `target`, where pictures of a data set must not be written."""
    path = path.resolve()
    return path.is_relative_to(REPOSITORY) and not path.is_relative_to(REPOSITORY / "target")

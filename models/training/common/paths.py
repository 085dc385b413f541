# SPDX-License-Identifier: MIT OR Apache-2.0
"""Folders of the repository."""

from pathlib import Path

MODELS = Path(__file__).resolve().parents[2]
REPOSITORY = MODELS.parent

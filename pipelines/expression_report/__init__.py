# SPDX-License-Identifier: MIT OR Apache-2.0
"""Makes one HTML page of the NDJSON records that emotionexport writes.

    from expression_report import write_report

    write_report("clip.ndjson", "clip.html", video_path="clip.mp4")

`render` returns the page of records that a program has already. The page shows records only. Times without a record are
blank, because an export says nothing about frames without a face.
"""

from .page import render, write_report
from .records import BadInput, read_records

__all__ = ["BadInput", "read_records", "render", "write_report"]

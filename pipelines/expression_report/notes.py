# SPDX-License-Identifier: MIT OR Apache-2.0
"""Notes on how the records were made, for the foot of the page."""

from .text import SECOND


def export_notes(records, step, sampled):
    notes = []
    detectors = sorted({record["detector"] for record in records if record.get("detector")})
    if sampled:
        notes.append(f"One frame every {step / SECOND:.2g} s was exported. Each is shown until the next one.")
    if any(record.get("smoothed") for record in records):
        notes.append("Scores are smoothed over time.")
    if detectors:
        notes.append(f"Face detector: {', '.join(detectors)}.")
    utc = next((record["utc"] for record in records if record.get("utc")), None)
    if utc:
        notes.append(f"Time of the first record: {utc}.")
    return notes

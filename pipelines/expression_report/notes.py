# SPDX-License-Identifier: MIT OR Apache-2.0
"""Notes on how the records were made, for the foot of the page."""

from .text import SECOND


def export_notes(records, step, sampled):
    notes = []
    detectors = sorted({record["detector"] for record in records if record.get("detector")})
    if sampled:
        notes.append(f"One frame in {step / SECOND:.2g} s was exported, and each is shown as if it held for as long.")
    if any(record.get("smoothed") for record in records):
        notes.append("Scores are smoothed over time.")
    if detectors:
        notes.append(f"Faces were found by {' and '.join(detectors)}.")
    utc = next((record["utc"] for record in records if record.get("utc")), None)
    if utc:
        notes.append(f"The first record was filmed at {utc}.")
    return notes

# SPDX-License-Identifier: MIT OR Apache-2.0
"""Tests on synthetic pictures; those of torch are skipped without it."""

# SPDX-License-Identifier: MIT OR Apache-2.0
"""Tests on synthetic photos; those of torch are skipped without it."""

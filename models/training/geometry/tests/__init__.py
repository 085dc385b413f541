# SPDX-License-Identifier: MIT OR Apache-2.0
"""Tests on synthetic faces; those of torch are skipped without it."""

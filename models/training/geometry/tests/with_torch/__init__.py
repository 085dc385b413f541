# SPDX-License-Identifier: MIT OR Apache-2.0
"""Tests that need torch and ONNX Runtime."""

from training.common.testing import require_torch

require_torch()

# SPDX-License-Identifier: MIT OR Apache-2.0
"""Requirements of tests."""

import importlib.util
import unittest


def require_torch():
    """Skip a package of tests unless torch and ONNX Runtime are installed (models/training/requirements.txt)."""
    missing = [name for name in ("torch", "onnx", "onnxruntime") if not importlib.util.find_spec(name)]
    if missing:
        raise unittest.SkipTest(f"{', '.join(missing)} not installed")

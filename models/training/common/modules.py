# SPDX-License-Identifier: MIT OR Apache-2.0
"""Modules of this package as child processes."""

import os
import sys

from training.common.paths import MODELS

# Finds this package from any working directory.
ENVIRONMENT = os.environ | {"PYTHONPATH": str(MODELS)}


def module_command(name, *arguments):
    """The command line of a module such as `expression.train`, to be run with `ENVIRONMENT`."""
    return [sys.executable, "-m", f"training.{name}", *(str(argument) for argument in arguments)]

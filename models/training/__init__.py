# SPDX-License-Identifier: MIT OR Apache-2.0
"""Training of the networks in `models`. Commands run from the root of the repository, with `PYTHONPATH=models`."""

# SPDX-License-Identifier: MIT OR Apache-2.0
"""Code shared by the training of the expression and the face networks."""

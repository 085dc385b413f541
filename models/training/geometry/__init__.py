# SPDX-License-Identifier: MIT OR Apache-2.0
"""Training of `face-geometry`: landmarks, head pose and blendshapes of a face."""

# SPDX-License-Identifier: MIT OR Apache-2.0
"""The points, angles and blendshapes of a face: their order, how they mirror, and how they come from the teacher's.

The teacher is MediaPipe's Face Landmarker, which gives 478 points of a mesh, a rotation and blendshapes. The numbers of the
mesh's points are those of its canonical face model.
"""

import numpy as np

POINTS = 70
# Contour of the face from the right ear over the chin to the left ear. iBUG's 17 points lie on it at equal distances in
# number, which the mesh keeps for each face.
CONTOUR = [127, 234, 93, 132, 58, 172, 136, 150, 149, 176, 148, 152]
CONTOUR += [377, 400, 378, 379, 365, 397, 288, 361, 323, 454, 356]
CONTOUR_POINTS = 17
# iBUG's points 17 to 67, then the centres of the irises. Right and left are the person's own.
BROWS = [70, 63, 105, 66, 107, 336, 296, 334, 293, 300]
NOSE = [168, 197, 5, 4, 75, 97, 2, 326, 305]
EYES = [33, 160, 158, 133, 153, 144, 362, 385, 387, 263, 373, 380]
OUTER_LIPS = [61, 39, 37, 0, 267, 269, 291, 321, 314, 17, 84, 91]
INNER_LIPS = [78, 82, 13, 312, 308, 317, 14, 87]
IRISES = [468, 473]
INNER_POINTS = BROWS + NOSE + EYES + OUTER_LIPS + INNER_LIPS + IRISES

# Positions in the 70 points.
RIGHT_EYE, LEFT_EYE = slice(36, 42), slice(42, 48)
NOSE_TIP, RIGHT_MOUTH, LEFT_MOUTH = 30, 48, 54
OUTER_CORNERS = (36, 45)

# For each point, the one that it becomes in a mirrored picture.
MIRRORED_POINTS = np.array(
    [*range(16, -1, -1), *range(26, 16, -1), 27, 28, 29, 30, *range(35, 30, -1)]
    + [45, 44, 43, 42, 47, 46, 39, 38, 37, 36, 41, 40]
    + [*range(54, 47, -1), *range(59, 54, -1), *range(64, 59, -1), 67, 66, 65, 69, 68]
)

# ARKit's names in alphabetical order. The teacher has no `tongueOut`.
BLENDSHAPES = """
browDownLeft browDownRight browInnerUp browOuterUpLeft browOuterUpRight cheekPuff cheekSquintLeft cheekSquintRight
eyeBlinkLeft eyeBlinkRight eyeLookDownLeft eyeLookDownRight eyeLookInLeft eyeLookInRight eyeLookOutLeft eyeLookOutRight
eyeLookUpLeft eyeLookUpRight eyeSquintLeft eyeSquintRight eyeWideLeft eyeWideRight jawForward jawLeft jawOpen jawRight
mouthClose mouthDimpleLeft mouthDimpleRight mouthFrownLeft mouthFrownRight mouthFunnel mouthLeft mouthLowerDownLeft
mouthLowerDownRight mouthPressLeft mouthPressRight mouthPucker mouthRight mouthRollLower mouthRollUpper mouthShrugLower
mouthShrugUpper mouthSmileLeft mouthSmileRight mouthStretchLeft mouthStretchRight mouthUpperUpLeft mouthUpperUpRight
noseSneerLeft noseSneerRight tongueOut
""".split()
TAUGHT_BLENDSHAPES = len(BLENDSHAPES) - 1


def _mirrored(name):
    """The name of a blendshape in a mirrored picture."""
    swapped = name.replace("Left", "\0").replace("Right", "Left").replace("\0", "Right")
    return swapped if swapped in BLENDSHAPES else name


MIRRORED_BLENDSHAPES = np.array([BLENDSHAPES.index(_mirrored(name)) for name in BLENDSHAPES])


def points_of_mesh(mesh):
    """The 70 points [..., 70, D] of meshes [..., 478, D]."""
    at = np.linspace(0, len(CONTOUR) - 1, CONTOUR_POINTS)
    before = np.minimum(at.astype(int), len(CONTOUR) - 2)
    share = (at - before)[:, None]
    contour = mesh[..., CONTOUR, :]
    contour = contour[..., before, :] * (1 - share) + contour[..., before + 1, :] * share
    return np.concatenate([contour, mesh[..., INNER_POINTS, :]], -2)


def rotation_of_matrix(matrix):
    """The rotation [..., 3, 3] in the teacher's matrix [..., 4, 4], from the canonical face to the camera.

    Axes: x to the right, y up, z towards the camera.
    """
    rotation = matrix[..., :3, :3].astype(np.float64)
    return (rotation / np.linalg.norm(rotation, axis=-2, keepdims=True)).astype(np.float32)


def angles(rotation):
    """(yaw, pitch, roll) [..., 3] in degrees of rotations [..., 3, 3].

    Yaw > 0: turned to the person's own left. Pitch > 0: up. Roll > 0: clockwise in the picture.
    """
    yaw = np.arctan2(rotation[..., 0, 2], rotation[..., 2, 2])
    pitch = np.arcsin(np.clip(rotation[..., 1, 2], -1, 1))
    roll = -np.arctan2(rotation[..., 1, 0], rotation[..., 1, 1])
    return np.degrees(np.stack([yaw, pitch, roll], -1))

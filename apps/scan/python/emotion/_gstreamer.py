# SPDX-License-Identifier: MIT OR Apache-2.0
"""Where the libraries of GStreamer and ONNX Runtime are, and the plugin of this package.

On Linux the system provides GStreamer. On Windows and macOS, GStreamer's own packages do, such as `gstreamer-bundle`, or
its installer.
"""

from __future__ import annotations

import importlib.util
import os
import sys
from collections.abc import Iterator
from pathlib import Path

#: ONNX Runtime's library in the package `onnxruntime`, on Linux, macOS and Windows.
RUNTIMES = ("libonnxruntime.so.*", "libonnxruntime.*.dylib", "onnxruntime.dll")
#: Variables in which GStreamer's installer for Windows names its folder.
INSTALLED = ("GSTREAMER_1_0_ROOT_MSVC_X86_64", "GSTREAMER_1_0_ROOT_MINGW_X86_64", "GSTREAMER_1_0_ROOT_X86_64")


def plugins() -> Path:
    """The folder of the plugin. It does not exist in an installation from source."""
    return Path(__file__).with_name("gstreamer-1.0").absolute()


def has_plugin() -> bool:
    """True if this package contains the plugin."""
    return any(plugins().glob("*gstemotion.*"))


def environment() -> dict[str, str]:
    """The environment of this process with the folders of GStreamer's packages and of the plugin."""
    return _gstreamer_env()[0]


def use_libraries() -> None:
    """Lets this process load GStreamer and ONNX Runtime from their packages. Another ONNX Runtime can be in ORT_DYLIB_PATH."""
    for library in _runtimes():
        os.environ.setdefault("ORT_DYLIB_PATH", str(library))
    if sys.platform == "linux":
        return
    found, folders = _gstreamer_env()
    os.environ.update(found)
    if sys.platform == "win32":
        # Python does not search PATH for the libraries of modules.
        for folder in folders:
            os.add_dll_directory(folder)


def _runtimes() -> Iterator[Path]:
    package = importlib.util.find_spec("onnxruntime")
    for folder in (package and package.submodule_search_locations) or ():
        for pattern in RUNTIMES:
            yield from sorted(Path(folder, "capi").glob(pattern))


def _gstreamer_env() -> tuple[dict[str, str], list[str]]:
    """The environment for GStreamer, and the folders of its libraries."""
    env = dict(os.environ)
    if importlib.util.find_spec("gstreamer_libs"):
        from gstreamer_libs import gstreamer_env

        env, path = gstreamer_env()
        folders = path.split(os.pathsep)
    else:
        folders = [os.path.join(env[name], "bin") for name in INSTALLED if name in env]
    # GStreamer reads the second one only without the first.
    known = env.get("GST_PLUGIN_PATH_1_0", env.get("GST_PLUGIN_PATH", "")).split(os.pathsep)
    if has_plugin() and str(plugins()) not in known:
        env = {**env, "GST_PLUGIN_PATH_1_0": os.pathsep.join([str(plugins()), *filter(None, known)])}
    return env, [folder for folder in folders if os.path.isdir(folder)]

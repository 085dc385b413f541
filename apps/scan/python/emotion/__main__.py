# SPDX-License-Identifier: MIT OR Apache-2.0
"""What the wheel contains besides the package: a GStreamer plugin.

    python -m emotion plugin-path         prints the folder of the plugin
    python -m emotion provider NAME       prints the library of the execution provider onnxruntime-ep-NAME, for provider-library
    python -m emotion shell [COMMAND]...  runs a command, or a shell, that finds GStreamer's packages and the plugin

    GST_PLUGIN_PATH=$(python -m emotion plugin-path) gst-launch-1.0 v4l2src ! emotionfacedetect ! emotionclassify ! fakesink
"""

import importlib
import os
import shutil
import subprocess
import sys

from . import _gstreamer

USAGE = "usage: python -m emotion plugin-path | provider NAME | shell [COMMAND]..."


def main(arguments: list[str]) -> int:
    match arguments:
        case ["plugin-path"]:
            print(plugin_path())
            return 0
        case ["provider", name]:
            print(provider(name))
            return 0
        case ["shell", *command]:
            plugin_path()
            return shell(command)
        case _:
            sys.exit(USAGE)


def plugin_path() -> str:
    """The folder of the plugin. Exits with an error if there is none."""
    if not _gstreamer.has_plugin():
        folder = _gstreamer.plugins()
        sys.exit(f"emotion: {folder} has no plugin; the wheel of `make wheel` contains it, an installation from source does not")
    return str(_gstreamer.plugins())


def provider(name: str) -> str:
    """The library of an execution provider that has a package of its own, such as webgpu. Exits with an error without it."""
    try:
        package = importlib.import_module("onnxruntime_ep_" + name.replace("-", "_"))
    except ImportError as error:
        sys.exit(f"emotion: provider: {error}; install it by `pip install onnxruntime-ep-{name}`")
    return str(package.get_library_path())


def shell(command: list[str]) -> int:
    """Runs the command, or the user's shell, with the folders of GStreamer and of the plugin. Returns its exit status."""
    environment = _gstreamer.environment()
    default = environment.get("COMSPEC", "cmd.exe") if sys.platform == "win32" else environment.get("SHELL", "/bin/sh")
    program, *options = command or [default]
    # Windows would search the PATH of this process.
    found = shutil.which(program, path=environment.get("PATH", os.defpath))
    if found is None:
        sys.exit(f"emotion: shell: expected a program, found {program}, which is in no folder of PATH")
    return subprocess.run([found, *options], env=environment).returncode


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))

# SPDX-License-Identifier: MIT OR Apache-2.0
"""What `make windows` has built, unpacked beside GStreamer's wheels, and its programs run by Wine."""

import json
import os
import pathlib
import shutil
import subprocess
import sys
import zipfile

CHECKOUT = pathlib.Path(__file__).parents[2]
RESULTS = pathlib.Path(os.environ["WINDOWS"])
#: The folder that `pip install` fills.
SITE = RESULTS / "test" / "site"
#: The unpacked zip file.
UNPACKED = RESULTS / "test" / "unpacked"
#: A folder whose name has spaces and umlauts, for the files of the tests.
FILES = RESULTS / "test" / "Gesichter für Übungen"
#: The drive C: of Wine.
DRIVE = pathlib.Path(os.environ["WINEPREFIX"]) / "drive_c"
TIMEOUT_S = 300
#: Variables with paths in the environment that GStreamer's packages make.
PATHS = ("GST_PLUGIN_PATH_1_0", "GST_PLUGIN_SYSTEM_PATH_1_0", "GST_PLUGIN_SCANNER_1_0")

#: GStreamer's own code makes the environment of its programs: here with the packages of Windows, in a Python of Linux, whose
#: `site` reads the `.pth` files as it does when Python starts.
ENVIRONMENT = """
import json, site, sys
site.addsitedir(sys.argv[1])
sys.platform = "win32"
from gstreamer_libs import gstreamer_env
print(json.dumps(gstreamer_env()[0]))
"""


def install():
    """Installs the wheel as pip does on Windows, and unpacks the zip file."""
    shutil.rmtree(RESULTS / "test", ignore_errors=True)
    SITE.parent.mkdir(parents=True)
    # Links: GStreamer's packages take half a gigabyte.
    subprocess.run(["cp", "-al", RESULTS / "packages", SITE], check=True)
    (wheel,) = RESULTS.glob("gst_plugin_emotion-*-win_amd64.whl")
    pip = [RESULTS / "python/bin/python", "-m", "pip", "install", "--quiet", "--disable-pip-version-check", "--no-deps"]
    platform = ["--platform=win_amd64", "--python-version=3.11", "--only-binary=:all:", f"--target={SITE}"]
    subprocess.run([*pip, *platform, wheel], check=True)
    (archive,) = RESULTS.glob("gst-plugin-emotion-*-windows-x86_64.zip")
    with zipfile.ZipFile(archive) as files:
        files.extractall(UNPACKED.parent)
    next(UNPACKED.parent.glob("gst-plugin-emotion-*")).rename(UNPACKED)


def path(file):
    """The path of a file of Linux, as programs under Wine see it."""
    return "Z:" + str(file).replace("/", "\\")


def paths(folders):
    """A list of folders, separated as on Windows."""
    return ";".join(map(path, folders))


def gstreamer_env(**variables):
    """The environment that GStreamer's packages in SITE make, with these variables before."""
    command = [sys.executable, "-S", "-c", ENVIRONMENT, str(SITE)]
    before = {"PATH": os.environ["PATH"], "HOME": os.environ["HOME"], **variables}
    return json.loads(subprocess.run(command, env=before, check=True, capture_output=True, text=True).stdout)


def environment(**variables):
    """The environment of a program under Wine, with GStreamer's packages and the plugin of the wheel."""
    found = gstreamer_env()
    converted = {name: paths(found[name].split(":")) for name in PATHS}
    libraries = [folder for folder in found["PATH"].split(":") if folder.startswith(str(SITE))]
    registry = {"GST_REGISTRY_1_0": path(RESULTS / "test/registry.bin")}
    kept = {name: value for name, value in os.environ.items() if name.startswith(("WINE", "HOME", "PATH", "LANG", "LC_"))}
    return {**kept, **converted, **registry, "WINEPATH": paths(libraries), **variables}


def start(program, *arguments, env=None, **options):
    """Starts a program of Windows."""
    command = ["wine", str(program), *map(str, arguments)]
    pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, "text": True, "encoding": "utf-8", "errors": "replace"}
    return subprocess.Popen(command, env=env or environment(), **{**pipes, **options})


def run(program, *arguments, code=0, **options):
    """Runs a program of Windows and returns what it prints to standard output and standard error."""
    process = start(program, *arguments, **options)
    try:
        output, errors = process.communicate(timeout=TIMEOUT_S)
    except subprocess.TimeoutExpired:
        process.kill()
        raise
    assert process.returncode == code, f"{program} {arguments}: expected {code}, found {process.returncode}\n{output}\n{errors}"
    return output, errors


def launch(line, **options):
    """Runs a launch line. Words are separated by spaces."""
    return run(SITE / "gstreamer_cli/bin/gst-launch-1.0.exe", "-q", *line.split(), **options)


def inspect(*arguments):
    """Prints what the registry knows."""
    return run(SITE / "gstreamer_cli/bin/gst-inspect-1.0.exe", *arguments)[0]


def scan(*arguments, code=0, **options):
    """Runs the emotion-scan of the zip file in the folder of the tests' files."""
    return run(UNPACKED / "bin/emotion-scan.exe", *arguments, code=code, cwd=FILES, **options)

# SPDX-License-Identifier: MIT OR Apache-2.0
"""Packs the Python package, its module and the GStreamer plugin into a wheel (PEP 427), which `make wheel` calls.

    wheel.py --module libemotion_python.so --plugin libgstemotion.so --output FOLDER

The metadata is that of pyproject.toml. The tag names the oldest glibc with all functions that both libraries use. They also
need GStreamer's libraries, which the system provides, so the wheel is not portable in the sense of PEP 600 and is not for
PyPI. Prints the path of the wheel. Needs readelf and strip (binutils).
"""

import argparse
import base64
import hashlib
import pathlib
import platform
import re
import subprocess
import tempfile
import tomllib
import zipfile

HERE = pathlib.Path(__file__).parent
ROOT = HERE.parents[2]
LICENCES = ("LICENSE-APACHE", "LICENSE-MIT")
GENERATOR = "gst-plugin-emotion wheel.py"
# The date of every member, so that equal inputs give equal wheels. ZIP has no earlier one.
DATE = (1980, 1, 1, 0, 0, 0)


def glibc_floor(libraries):
    """Returns the newest version (major, minor) of glibc whose symbols one of the libraries uses."""
    versions = set()
    for library in libraries:
        shown = subprocess.run(["readelf", "--wide", "--version-info", library], check=True, capture_output=True, text=True)
        versions |= {tuple(map(int, found)) for found in re.findall(r"Name: GLIBC_(\d+)\.(\d+)", shown.stdout)}
    if not versions:
        raise SystemExit(f"wheel: no symbols of glibc in {', '.join(map(str, libraries))}")
    return max(versions)


def metadata(project):
    """Returns the text of METADATA (core metadata 2.4) for the table `project` of pyproject.toml."""
    fields = [
        ("Metadata-Version", "2.4"),
        ("Name", project["name"]),
        ("Version", project["version"]),
        ("Summary", project["description"]),
        ("License-Expression", project["license"]),
        *(("License-File", name) for name in LICENCES),
        ("Requires-Python", project["requires-python"]),
        *(("Requires-Dist", requirement) for requirement in project["dependencies"]),
    ]
    return "".join(f"{name}: {value}\n" for name, value in fields)


def stripped(library):
    """Returns the library's bytes without the symbols and debug information that loading it does not need."""
    with tempfile.TemporaryDirectory() as folder:
        copy = pathlib.Path(folder, library.name)
        subprocess.run(["strip", "--strip-unneeded", "-o", copy, library], check=True)
        return copy.read_bytes()


def members(module, plugin, info, project, tag):
    """Yields the names and contents of the wheel's files, except RECORD."""
    for file in sorted((HERE / "emotion").iterdir()):
        if file.suffix in (".py", ".pyi", ".typed"):
            yield f"emotion/{file.name}", file.read_bytes()
    yield "emotion/_emotion.abi3.so", stripped(module)
    yield "emotion/gstreamer-1.0/libgstemotion.so", stripped(plugin)
    for name in LICENCES:
        yield f"{info}/licenses/{name}", (ROOT / name).read_bytes()
    yield f"{info}/METADATA", metadata(project).encode()
    yield f"{info}/WHEEL", f"Wheel-Version: 1.0\nGenerator: {GENERATOR}\nRoot-Is-Purelib: false\nTag: {tag}\n".encode()


def pack(module, plugin, output):
    """Writes the wheel into the folder `output` and returns its path."""
    project = tomllib.loads((HERE / "pyproject.toml").read_text())["project"]
    major, minor = glibc_floor([module, plugin])
    tag = f"cp311-abi3-manylinux_{major}_{minor}_{platform.machine()}"
    name = f"{project['name'].replace('-', '_')}-{project['version']}"
    info = f"{name}.dist-info"
    output.mkdir(parents=True, exist_ok=True)
    wheel = output / f"{name}-{tag}.whl"
    record = ""
    with zipfile.ZipFile(wheel, "w", zipfile.ZIP_DEFLATED) as archive:

        def add(member, content):
            entry = zipfile.ZipInfo(member, DATE)
            entry.external_attr = 0o644 << 16
            entry.compress_type = zipfile.ZIP_DEFLATED
            archive.writestr(entry, content)

        for member, content in members(module, plugin, info, project, tag):
            digest = base64.urlsafe_b64encode(hashlib.sha256(content).digest()).rstrip(b"=").decode()
            record += f"{member},sha256={digest},{len(content)}\n"
            add(member, content)
        add(f"{info}/RECORD", record + f"{info}/RECORD,,\n")
    return wheel


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    for name in ("--module", "--plugin", "--output"):
        parser.add_argument(name, type=pathlib.Path, required=True)
    options = parser.parse_args()
    print(pack(options.module, options.plugin, options.output))


if __name__ == "__main__":
    main()

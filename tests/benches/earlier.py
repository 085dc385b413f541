# SPDX-License-Identifier: MIT OR Apache-2.0
"""CPU time per frame and memory of the elements, compared with those of an earlier commit in the same run.

    earlier.py TARGET CLIPS COMMIT

TARGET holds the release build, CLIPS one frame of each clip (see `run`). The plugin of COMMIT is built in TARGET as
well. How rows are measured: see compare.py.
"""
import pathlib
import shutil
import subprocess
import sys
import tempfile

from compare import CHAIN, DETECT, HERE, Bench, Clip, processor

FIVE_VGA, FIVE_1080P = Clip("5", "RGB", 640, 480), Clip("5", "I420", 1920, 1080)
FIFTY_1080P, TWO_720P = Clip("50", "I420", 1920, 1080), Clip("2", "I420", 1280, 720)


def resolve(name):
    """Returns the short hash of a commit or branch. Exits with an error if there is none of this name."""
    command = ["git", "rev-parse", "--verify", "--quiet", "--short", f"{name}^{{commit}}"]
    found = subprocess.run(command, cwd=HERE, capture_output=True, text=True, check=False).stdout.strip()
    return found or sys.exit(f"earlier: error: expected a commit in EARLIER, found {name}")


def build(commit, target):
    """Returns the library of a commit, which is built in a checkout of its own."""
    folder = target / "bench" / "earlier"
    checkout, built = folder / commit, folder / f"{commit}-target"
    if not checkout.exists():
        subprocess.run(["git", "worktree", "add", "--force", "--detach", checkout, commit], cwd=HERE, check=True)
    command = ["cargo", "build", "--quiet", "--locked", "--release", "--lib", "--target-dir", built]
    subprocess.run(command, cwd=checkout, check=True)
    return built / "release/libgstemotion.so"


class Comparison:
    def __init__(self, bench, commit, library):
        self.bench, self.commit = bench, commit
        plugins = bench.stage / "earlier"
        plugins.mkdir()
        shutil.copy(library, plugins)
        paths = {"GST_PLUGIN_PATH": str(plugins), "GST_REGISTRY": str(bench.stage / "earlier.bin")}
        self.earlier_plugin = bench.environment | paths

    def rows(self, clip, elements, gated=False):
        """Measures elements of both plugins; with `gated`, those of today search and score what changed."""
        now = elements.replace("threads=1", "threads=1 motion-gate=true") if gated else elements
        size = f"{clip.width}x{clip.height}, {clip.name} faces"
        print(f"\n{elements}\n{size}{', with the motion gate' if gated else ''}")
        earlier = self.bench.pipeline(self.commit, clip, elements, self.earlier_plugin)
        today = self.bench.pipeline("now", clip, now)
        times_ms = self.bench.measure([earlier, today])
        print(f"  -> {times_ms[today.name] / times_ms[earlier.name]:.2f} of the time")

    def memory(self):
        """Prints the memory in MiB of each further stream in a process."""
        print(f"\nmemory of each further stream of {TWO_720P.width}x{TWO_720P.height}, with its frames")
        now = self.bench.with_plugin
        lines = [("frames alone", "identity", now), (self.commit, CHAIN, self.earlier_plugin), ("now", CHAIN, now)]
        for name, elements, environment in lines:
            one, eight = (self.bench.peak_mib(TWO_720P, elements, environment, count) for count in (1, 8))
            print(f"  {name:<58} {(eight - one) / 7:8.1f} MiB")


def main(target, clips, name):
    target, commit = pathlib.Path(target).resolve(), resolve(name)
    library = build(commit, target)
    print(f"one core of {processor()}; CPU time per frame")
    with tempfile.TemporaryDirectory() as stage:
        bench = Bench(target, pathlib.Path(clips).resolve(), pathlib.Path(), pathlib.Path(stage))
        comparison = Comparison(bench, commit, library)
        comparison.rows(FIVE_VGA, DETECT)
        comparison.rows(FIVE_VGA, CHAIN)
        comparison.rows(FIVE_1080P, DETECT)
        comparison.rows(FIFTY_1080P, CHAIN)
        comparison.rows(TWO_720P, CHAIN)
        comparison.rows(TWO_720P, CHAIN, gated=True)
        comparison.memory()


if __name__ == "__main__":
    main(*sys.argv[1:])

# SPDX-License-Identifier: MIT OR Apache-2.0
"""CPU time per frame of the elements and of the alternatives, all on one core and in one run.

    compare.py TARGET CLIPS PEERS

TARGET holds the release build, CLIPS the clips (see `run`), and PEERS the models of other projects. Each row runs in its
own process, pinned to one core. It processes a clip once, or one frame many times. The result is the user and system
time, without the start-up (the same process on few frames) and without reading the frames, divided by the number of
frames. The rows of a table take turns, and the minimum of all rounds counts.
"""
import dataclasses
import importlib.util
import json
import os
import pathlib
import platform
import re
import shutil
import subprocess
import sys
import tempfile

ROUNDS = 3
START_UP_FRAMES = 5  # of the run that measures the start-up
DEMO_FRAMES = 300  # of the demo clip
CASCADE = "/usr/share/opencv4/haarcascades/haarcascade_frontalface_default.xml"
HERE = pathlib.Path(__file__).parent
ROOTS = pathlib.Path(os.environ.get("GST_EMOTION_ROOTS", pathlib.Path.home() / ".cache/gst-emotion/roots"))
# Runs a command in another root folder, with folders of this one mounted into it: ROOT "FOLDER..." COMMAND...
IN_ROOT = """
root=$1 mounted=$2; shift 2
mount -t proc proc "$root/proc"
mount --bind /dev "$root/dev"
for folder in $mounted; do mkdir -p "$root$folder"; mount --bind "$folder" "$root$folder"; done
exec chroot "$root" "$@"
"""

# What is compared in this run: CPU time of a row divided by that of its alternative.
RATIOS = {}
# A ratio that grew by more than this since the last run is marked.
REGRESSION = 0.1
# Names of processor features, and how Linux spells them.
FEATURES = {
    "AVX2": {"avx2"},
    "AVX-512": {"avx512f"},
    "VNNI": {"avx512_vnni", "avx_vnni"},
    "dot products": {"asimddp"},
}
DETECT = "emotionfacedetect threads=1"
CHAIN = f"{DETECT} ! emotionclassify threads=1 max-faces-per-frame=64 ! emotionoverlay"
GATED_CHAIN = CHAIN.replace("threads=1", "threads=1 motion-gate=true")


@dataclasses.dataclass
class Clip:
    """One frame, which is repeated, or several, as raw video."""

    name: str
    format: str
    width: int
    height: int
    frames: int = 1

    def file(self, folder):
        return folder / f"{self.name}-{self.width}x{self.height}.{self.format.lower()}"


@dataclasses.dataclass
class Row:
    """A command that is measured."""

    name: str
    clip: Clip
    command: object  # function from the number of frames to the words of the command
    environment: dict
    missing: str = ""  # why the row cannot be measured
    subtract_reading: bool = True  # false if the command does not read the clip through GStreamer


def cpu_seconds(command, environment):
    """Returns the user and system time of all threads of one run, and its peak memory in MiB."""
    process = subprocess.Popen(command, env=environment, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE)
    errors = process.stderr.read()
    _, status, usage = os.wait4(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode:
        raise RuntimeError(f"{' '.join(map(str, command))}: {errors.decode().strip()}")
    return usage.ru_utime + usage.ru_stime, usage.ru_maxrss / 1024


class Bench:
    def __init__(self, target, clips, peers, stage):
        self.clips, self.peers, self.stage = clips, peers.resolve(), stage
        plugins = stage / "plugins"
        plugins.mkdir()
        shutil.copy(target / "release/libgstemotion.so", plugins)
        one_thread = {"OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1", "TF_CPP_MIN_LOG_LEVEL": "3"}
        self.environment = os.environ | one_thread | {"GST_REGISTRY": str(stage / "registry.bin")}
        self.with_plugin = self.environment | {"GST_PLUGIN_PATH": str(plugins)}
        # In a registry without this plugin, `facedetect` is OpenCV's.
        self.without_plugin = self.environment | {"GST_REGISTRY": str(stage / "stock.bin")}

    def launch(self, clip, elements, frames, sink="fakesink"):
        size = f"width={clip.width},height={clip.height}"
        caps = f"video/x-raw,format={clip.format},{size},framerate=30/1,colorimetry=bt601"
        file = clip.file(self.clips)
        if clip.frames == 1:
            source = f"multifilesrc location={file} loop=true num-buffers={frames} caps={caps}"
        else:
            read = f"filesrc location={file} blocksize={file.stat().st_size // clip.frames} num-buffers={frames}"
            shape = f"format={clip.format.lower()} width={clip.width} height={clip.height} framerate=30/1"
            source = f"{read} ! rawvideoparse {shape}"
        return ["gst-launch-1.0", "-q", *f"{source} ! {elements} ! {sink}".split()]

    def pipeline(self, name, clip, elements, environment=None, missing=""):
        def command(frames):
            return self.launch(clip, elements, frames)

        return Row(name, clip, command, environment or self.with_plugin, missing)

    def python_loop(self, name, clip, network, missing):
        def command(frames):
            return [sys.executable, HERE / "python_loop.py", clip.file(self.clips), str(frames), CASCADE, str(network)]

        return Row(name, clip, command, self.environment, missing, subtract_reading=False)

    def peer(self, name):
        """Returns the path of another project's model, and a message if it is missing."""
        model = self.peers / name
        return model, "" if model.is_file() else f"no {model}; set PEERS=FOLDER to use another folder"

    def peer_detector(self, clip, name):
        """A row for `facedetect` with another project's model."""
        model, missing = self.peer(name)
        return self.pipeline(f"facedetect model-file={name}", clip, f"{DETECT} model-file={model}", missing=missing)

    def measure(self, rows, frames=60):
        """Prints and returns the CPU time per frame, in milliseconds, of each row that can be measured."""
        clips = {row.clip.file(self.clips): row.clip for row in rows}
        readers = {file: self.pipeline(f"reading {file.name}", clip, "identity") for file, clip in clips.items()}
        seconds = self.min_seconds([row for row in [*readers.values(), *rows] if not row.missing], frames)
        times_ms = {}
        for row in rows:
            if row.missing:
                print(f"  {row.name:<58} skipped: {row.missing}")
                continue
            reading = seconds[readers[row.clip.file(self.clips)].name] if row.subtract_reading else 0
            times_ms[row.name] = (seconds[row.name] - reading) / frames * 1e3
            print(f"  {row.name:<58} {times_ms[row.name]:8.2f} ms")
        return times_ms

    def min_seconds(self, rows, frames):
        """Returns the minimum CPU time of each row for `frames` frames, without the start-up."""

        def run(row, count):
            return cpu_seconds(["taskset", "-c", "0", *row.command(count)], row.environment)[0]

        best = {}
        for row in rows:
            run(row, 1)  # the first run also scans the plugins
        for _ in range(ROUNDS):
            for row in rows:
                seconds = run(row, frames + START_UP_FRAMES) - run(row, START_UP_FRAMES)
                best[row.name] = min(best.get(row.name, seconds), seconds)
        return best

    def peak_mib(self, clip, elements, environment, streams):
        """Returns the minimum peak memory in MiB of a process with a number of streams."""
        branches = [self.launch(clip, elements, 60)[2:] for _ in range(streams)]
        line = ["gst-launch-1.0", "-q", *sum(branches, [])]
        return min(cpu_seconds(line, environment)[1] for _ in range(ROUNDS))

    def faces_found(self, clip):
        """Returns the number of faces on a frame of a clip, which is the number of lines of its export."""
        export = self.launch(clip, f"{DETECT} ! emotionexport", 1, "fdsink")
        return len(subprocess.run(export, env=self.with_plugin, capture_output=True, check=True).stdout.splitlines())

    def opencv_detector(self, clip):
        exists = subprocess.run(["gst-inspect-1.0", "--exists", "cvlaplace"], env=self.without_plugin).returncode == 0
        missing = "" if exists else "gstreamer1.0-opencv is not installed"
        return self.pipeline("gst-opencv's facedetect", clip, "facedetect display=false", self.without_plugin, missing)

    def detectors_and_chain(self):
        clip = Clip("5", "RGB", 640, 480)
        xception, no_xception = self.peer("mini_xception.onnx")
        has_keras = importlib.util.find_spec("tensorflow")
        no_keras = "" if has_keras else f"no Keras; run `{sys.executable} -m pip install tensorflow-cpu`"
        print("\n640x480, RGB, five faces")
        times_ms = self.measure([
            detector := self.pipeline("facedetect", clip, DETECT),
            self.pipeline("facedetect detector=centerface", clip, f"{DETECT} detector=centerface"),
            self.peer_detector(clip, "yunet_n.onnx"),
            self.peer_detector(clip, "ultraface_rfb320.onnx"),
            self.pipeline("facedetect detector=haar", clip, f"{DETECT} detector=haar"),
            opencv := self.opencv_detector(clip),
            chain := self.pipeline("facedetect ! emotionclassify ! emotionoverlay", clip, CHAIN),
            onnx := self.python_loop("Python: Haar, mini-XCEPTION in onnxruntime", clip, xception, no_xception),
            keras := self.python_loop("Python: Haar, mini-XCEPTION in Keras", clip, "keras", no_keras),
        ])
        for row, alternative in [(detector, opencv), (chain, onnx), (chain, keras)]:
            print_ratio(times_ms, row, alternative)

    def moving_faces(self):
        """The demo clip, in which one to three faces move and change their expressions, as a live stream has it."""
        clip = Clip("demo", "RGB", 640, 480, DEMO_FRAMES)
        xception, no_xception = self.peer("mini_xception.onnx")
        print("\nthe demo clip: 640x480, RGB, one to three faces that move")
        times_ms = self.measure([
            live := self.pipeline("three elements, motion-gate=true as in a live stream", clip, GATED_CHAIN),
            whole := self.pipeline("three elements, motion-gate=false", clip, CHAIN),
            loop := self.python_loop("Python: Haar, mini-XCEPTION in onnxruntime, demo clip", clip, xception, no_xception),
        ], frames=DEMO_FRAMES - START_UP_FRAMES)
        for row, alternative in [(live, whole), (live, loop), (whole, loop)]:
            print_ratio(times_ms, row, alternative)

    def stock_detector(self, clip):
        """A row for the detector of GStreamer 1.28, which runs in a root folder with Debian sid."""
        ultraface, missing = self.peer("ultraface_rfb320.onnx")
        root = ROOTS / "sid"
        if not (root / "usr/lib/x86_64-linux-gnu/gstreamer-1.0/libgstonnx.so").exists():
            missing = missing or f"no Debian sid with GStreamer's onnxinference in {root} (GST_EMOTION_ROOTS=FOLDER)"
        elif os.geteuid() != 0:
            missing = missing or "only root can enter another root folder"
        mounted = f"{self.clips} {self.peers} {self.stage}"

        def command(frames):
            elements = f"onnxinference model-file={ultraface} ! ultralightfacedetectortensordec"
            line = self.launch(clip, elements, frames)
            return ["unshare", "--mount", "bash", "-euc", IN_ROOT, "_", root, mounted, *line]

        environment = self.environment | {"GST_REGISTRY": str(self.stage / "sid.bin")}
        name = "stock onnxinference ! ultralightfacedetectortensordec"
        return Row(name, clip, command, environment, missing)

    def against_stock(self):
        clip = Clip("1", "RGB", 320, 240)
        print("\n320x240, RGB, one face; the stock elements are from GStreamer 1.28 in a root folder of Debian sid")
        times_ms = self.measure([
            detector := self.pipeline("facedetect", clip, DETECT),
            same_model := self.peer_detector(clip, "ultraface_rfb320.onnx"),
            stock := self.stock_detector(clip),
        ])
        print_ratio(times_ms, detector, stock)
        print_ratio(times_ms, same_model, stock)

    def by_faces(self):
        print("\nfacedetect ! emotionclassify ! emotionoverlay at 1920x1080, I420, by number of faces")
        rows = []
        for count in (0, 1, 5, 25, 50):
            clip = Clip(f"{count}", "I420", 1920, 1080)
            rows.append(self.pipeline(f"{count} faces ({self.faces_found(clip)} found)", clip, CHAIN))
        self.measure(rows)

    def by_smallest_face(self):
        clip = Clip("50", "I420", 1920, 1080)
        print("\nfacedetect at 1920x1080, I420, by detector, tile size and detection size")
        settings = ["", "tile-size=640", "tile-size=320 detect-size=640", "tile-size=1280", "detect-size=0"]
        detectors = ["emotion-face", "centerface"]
        names = [f"detector={detector} {setting}".strip() for detector in detectors for setting in settings]
        # 40 frames are a whole number of cycles of 8 and of 40 tiles.
        self.measure([self.pipeline(name, clip, f"{DETECT} {name}") for name in names], frames=40)

    def by_resolution(self):
        print("\nfacedetect ! emotionclassify ! emotionoverlay with five faces, I420, by resolution")
        sizes = [(640, 480), (1280, 720), (1920, 1080), (3840, 2160)]
        self.measure([self.pipeline(f"{w}x{h}", Clip("5", "I420", w, h), CHAIN) for w, h in sizes], frames=40)

    def by_change(self):
        """A still picture: with the motion gate, the networks run on one frame in 30."""
        print("\nfacedetect ! emotionclassify ! emotionoverlay on a still picture, I420")
        fp32 = CHAIN.replace("emotionclassify", "emotionclassify model-file=expression")
        for clip in (Clip("2", "I420", 1280, 720), Clip("50", "I420", 1920, 1080)):
            size = f"{clip.width}x{clip.height}, {clip.name} faces"
            times_ms = self.measure([
                still := self.pipeline(f"{size}, motion-gate=true", clip, GATED_CHAIN),
                self.pipeline(f"{size}, motion-gate=false", clip, CHAIN),
                whole := self.pipeline(f"{size}, motion-gate=false model-file=expression", clip, fp32),
            ], frames=120)
            print_ratio(times_ms, still, whole)

    def streams(self):
        clip = Clip("2", "I420", 1280, 720)
        print("\nstreams of 1280x720 at 30 frames per second, I420, two faces, through all three elements")
        row = self.pipeline("CPU time per frame", clip, CHAIN)
        [frame_ms] = self.measure([row]).values()
        print(f"  streams in real time on two cores, at that rate: {2000 / 30 / frame_ms:.1f}")
        memory_mib = []
        for count in (1, 2, 4, 8):
            memory_mib.append(self.peak_mib(clip, CHAIN, self.with_plugin, count))
            print(f"  peak memory of {count} in one process{'':<27} {memory_mib[-1]:8.0f} MiB")
        print(f"  each further stream, including its frames{'':<18} {(memory_mib[-1] - memory_mib[0]) / 7:8.1f} MiB")


def print_ratio(times_ms, row, alternative):
    if row.name in times_ms and alternative.name in times_ms:
        ratio = times_ms[alternative.name] / times_ms[row.name]
        print(f"  -> {row.name} compared with {alternative.name}: 1/{ratio:.1f}")
        RATIOS[f"{row.name} / {alternative.name}"] = round(1 / ratio, 4)


def record(history):
    """Appends the ratios of this run to a file, and prints those that are worse than in the last run on such a machine."""
    describe = ["git", "describe", "--always", "--dirty"]
    git = subprocess.run(describe, cwd=HERE, capture_output=True, text=True, check=False)
    entry = {"commit": git.stdout.strip(), "machine": processor(), "ratios": RATIOS}
    earlier = [json.loads(line) for line in history.read_text().splitlines()] if history.exists() else []
    last = next((run for run in reversed(earlier) if run["machine"] == entry["machine"]), None)
    with history.open("a") as file:
        print(json.dumps(entry), file=file)
    if last:
        print(f"\ncompared with {last['commit']}")
        for name in RATIOS.keys() & last["ratios"].keys():
            change = RATIOS[name] / last["ratios"][name]
            if change > 1 + REGRESSION:
                print(f"  REGRESSION: {name}: {last['ratios'][name]} became {RATIOS[name]}, {change:.2f} times")


def processor():
    """Returns the name of the processor, and those of its features that decide how fast networks run."""
    info = pathlib.Path("/proc/cpuinfo").read_text()
    values = dict(re.findall(r"^(model name|flags|Features)\s*: (.*)", info, re.MULTILINE))
    flags = set((values.get("flags") or values.get("Features") or "").split())
    found = [name for name, spelled in FEATURES.items() if flags & spelled]
    return " ".join([values.get("model name", platform.machine()), *found])


def main(target, clips, peers):
    print(f"one core of {processor()}; CPU time per frame")
    with tempfile.TemporaryDirectory() as stage:
        bench = Bench(pathlib.Path(target), pathlib.Path(clips).resolve(), pathlib.Path(peers), pathlib.Path(stage))
        bench.detectors_and_chain()
        bench.moving_faces()
        bench.against_stock()
        bench.by_faces()
        bench.by_smallest_face()
        bench.by_resolution()
        bench.by_change()
        bench.streams()
    record(pathlib.Path(target) / "bench" / "history.ndjson")


if __name__ == "__main__":
    main(*sys.argv[1:])

# SPDX-License-Identifier: MIT OR Apache-2.0
"""CPU time per frame of the elements and of what they are compared with, all on one core and in one run.

    compare.py TARGET CLIPS PEERS

TARGET has the release build, CLIPS a frame of each clip (see `run`), PEERS the peers' models. Every row is a process of
its own, pinned to one core, which goes through one frame many times; its CPU time, user and system, less start-up (the
same process on few frames) and less that of reading the frames alone, over the number of frames. Rows of a table take
turns, and the least of the rounds counts.
"""
import dataclasses
import importlib.util
import os
import pathlib
import platform
import shutil
import subprocess
import sys
import tempfile

ROUNDS = 3
CASCADE = "/usr/share/opencv4/haarcascades/haarcascade_frontalface_default.xml"
HERE = pathlib.Path(__file__).parent
ROOTS = pathlib.Path(os.environ.get("GST_EMOTION_ROOTS", pathlib.Path.home() / ".cache/gst-emotion/roots"))
# Runs a command inside another root folder that is lent some of this one's: ROOT "FOLDER..." COMMAND...
IN_ROOT = """
root=$1 lent=$2; shift 2
mount -t proc proc "$root/proc"
mount --bind /dev "$root/dev"
for folder in $lent; do mkdir -p "$root$folder"; mount --bind "$folder" "$root$folder"; done
exec chroot "$root" "$@"
"""

DETECT = "emotionfacedetect threads=1"
CHAIN = f"{DETECT} ! emotionclassify threads=1 max-faces-per-frame=64 ! emotionoverlay"


@dataclasses.dataclass
class Clip:
    """One frame, as raw video."""

    name: str
    format: str
    width: int
    height: int

    def file(self, folder):
        return folder / f"{self.name}-{self.width}x{self.height}.{self.format.lower()}"


@dataclasses.dataclass
class Row:
    """What is measured: a command that goes through `frames` frames of a clip."""

    name: str
    clip: Clip
    command: object
    environment: dict
    missing: str = ""
    reading: bool = True


def cpu_seconds(command, environment):
    """User and system time of one run, of all its threads, and the most memory it held, in MiB."""
    process = subprocess.Popen(command, env=environment, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE)
    complaint = process.stderr.read()
    _, status, usage = os.wait4(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode:
        raise RuntimeError(f"{' '.join(map(str, command))}: {complaint.decode().strip()}")
    return usage.ru_utime + usage.ru_stime, usage.ru_maxrss / 1024


class Bench:
    def __init__(self, target, clips, peers, stage):
        self.clips, self.peers, self.stage = clips, peers.resolve(), stage
        plugins = stage / "plugins"
        plugins.mkdir()
        shutil.copy(target / "release/libgstemotion.so", plugins)
        single = {"OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1", "TF_CPP_MIN_LOG_LEVEL": "3"}
        self.environment = os.environ | single | {"GST_REGISTRY": str(stage / "registry.bin")}
        self.ours = self.environment | {"GST_PLUGIN_PATH": str(plugins)}
        # A registry without ours, in which `facedetect` is OpenCV's.
        self.stock = self.environment | {"GST_REGISTRY": str(stage / "stock.bin")}

    def launch(self, clip, elements, frames, sink="fakesink"):
        caps = f"video/x-raw,format={clip.format},width={clip.width},height={clip.height},framerate=30/1,colorimetry=bt601"
        source = f"multifilesrc location={clip.file(self.clips)} loop=true num-buffers={frames} caps={caps}"
        return ["gst-launch-1.0", "-q", *f"{source} ! {elements} ! {sink}".split()]

    def pipeline(self, name, clip, elements, environment=None, missing=""):
        return Row(name, clip, lambda frames: self.launch(clip, elements, frames), environment or self.ours, missing)

    def python_loop(self, name, clip, network, missing):
        def command(frames):
            return [sys.executable, HERE / "python_loop.py", clip.file(self.clips), str(frames), CASCADE, str(network)]

        return Row(name, clip, command, self.environment, missing, reading=False)

    def peer(self, name):
        """A peer's model, and what is missing if there is none."""
        model = self.peers / name
        return model, "" if model.is_file() else f"no {model}; PEERS=FOLDER names another place"

    def measure(self, rows, frames=60):
        """Milliseconds of CPU time per frame of each row that nothing is missing for; the others are told."""
        clips = {row.clip.file(self.clips): row.clip for row in rows}
        reading = {file: self.pipeline(f"reading {file.name}", clip, "identity") for file, clip in clips.items()}
        here = [row for row in [*reading.values(), *rows] if not row.missing]
        run = lambda row, count: cpu_seconds(["taskset", "-c", "0", *row.command(count)], row.environment)[0]
        best = {}
        for row in here:
            run(row, 1)  # whoever is first scans the plugins
        for _ in range(ROUNDS):
            for row in here:
                seconds = run(row, frames + 5) - run(row, 5)
                best[row.name] = min(best.get(row.name, seconds), seconds)
        found = {}
        for row in rows:
            if row.missing:
                print(f"  {row.name:<58} skipped: {row.missing}")
                continue
            of_reading = best[reading[row.clip.file(self.clips)].name] if row.reading else 0
            found[row.name] = (best[row.name] - of_reading) / frames * 1e3
            print(f"  {row.name:<58} {found[row.name]:8.2f} ms")
        return found

    def faces_found(self, clip):
        """Faces on a frame of a clip; each is a line of the export."""
        export = self.launch(clip, f"{DETECT} ! emotionexport", 1, "fdsink")
        return len(subprocess.run(export, env=self.ours, capture_output=True, check=True).stdout.splitlines())

    def detectors_and_chain(self):
        clip = Clip("5", "RGB", 640, 480)
        opencv = subprocess.run(["gst-inspect-1.0", "--exists", "cvlaplace"], env=self.stock).returncode == 0
        yunet, no_yunet = self.peer("yunet_n.onnx")
        ultraface, no_ultraface = self.peer("ultraface_rfb320.onnx")
        xception, no_xception = self.peer("mini_xception.onnx")
        no_keras = "" if importlib.util.find_spec("tensorflow") else f"no Keras; `{sys.executable} -m pip install tensorflow-cpu` brings it"
        print("\n640x480, RGB, five faces")
        ms = self.measure([
            detector := self.pipeline("facedetect", clip, DETECT),
            self.pipeline("facedetect detector=centerface", clip, f"{DETECT} detector=centerface"),
            self.pipeline("facedetect model-file=yunet_n.onnx", clip, f"{DETECT} model-file={yunet}", missing=no_yunet),
            self.pipeline("facedetect model-file=ultraface_rfb320.onnx", clip, f"{DETECT} model-file={ultraface}", missing=no_ultraface),
            self.pipeline("facedetect detector=haar", clip, f"{DETECT} detector=haar"),
            haar := self.pipeline("gst-opencv's facedetect", clip, "facedetect display=false", self.stock, "" if opencv else "no gstreamer1.0-opencv"),
            chain := self.pipeline("facedetect ! emotionclassify ! emotionoverlay", clip, CHAIN),
            onnx := self.python_loop("Python: Haar, mini-XCEPTION in onnxruntime", clip, xception, no_xception),
            keras := self.python_loop("Python: Haar, mini-XCEPTION in Keras", clip, "keras", no_keras),
        ])
        for ours, theirs in [(detector, haar), (chain, onnx), (chain, keras)]:
            ratio(ms, ours, theirs)

    def against_stock(self):
        clip = Clip("1", "RGB", 320, 240)
        ultraface, missing = self.peer("ultraface_rfb320.onnx")
        root = ROOTS / "sid"
        if not (root / "usr/lib/x86_64-linux-gnu/gstreamer-1.0/libgstonnx.so").exists():
            missing = missing or f"no Debian sid with GStreamer's onnxinference in {root} (GST_EMOTION_ROOTS=FOLDER)"
        elif os.geteuid() != 0:
            missing = missing or "only root can enter another root folder"
        lent = f"{self.clips} {self.peers} {self.stage}"

        def inside(frames):
            elements = f"onnxinference model-file={ultraface} ! ultralightfacedetectortensordec"
            return ["unshare", "--mount", "bash", "-euc", IN_ROOT, "_", root, lent, *self.launch(clip, elements, frames)]

        stage = self.environment | {"GST_REGISTRY": str(self.stage / "sid.bin")}
        print("\n320x240, RGB, one face; stock is GStreamer 1.28's, in a folder with Debian sid")
        ms = self.measure([
            ours := self.pipeline("facedetect", clip, DETECT),
            same := self.pipeline("facedetect model-file=ultraface_rfb320.onnx", clip, f"{DETECT} model-file={ultraface}", missing=self.peer(ultraface)[1]),
            stock := Row("stock onnxinference ! ultralightfacedetectortensordec", clip, inside, stage, missing),
        ])
        ratio(ms, ours, stock)
        ratio(ms, same, stock)

    def by_faces(self):
        print("\nfacedetect ! emotionclassify ! emotionoverlay at 1920x1080, I420, by number of faces")
        rows = []
        for count in (0, 1, 5, 25, 50):
            clip = Clip(f"{count}", "I420", 1920, 1080)
            rows.append(self.pipeline(f"{count} faces ({self.faces_found(clip)} found)", clip, CHAIN))
        self.measure(rows)

    def by_smallest_face(self):
        clip = Clip("50", "I420", 1920, 1080)
        print("\nfacedetect at 1920x1080, I420, by how small faces are looked for")
        settings = ["", "tile-size=640", "tile-size=320 detect-size=640", "tile-size=1280", "detect-size=0"]
        detectors = [f"detector={name} {setting}".strip() for name in ("emotion-face", "centerface") for setting in settings]
        # Rounds of eight and of forty tiles.
        self.measure([self.pipeline(detector, clip, f"{DETECT} {detector}") for detector in detectors], frames=40)

    def by_resolution(self):
        print("\nfacedetect ! emotionclassify ! emotionoverlay with five faces, I420, by resolution")
        sizes = [(640, 480), (1280, 720), (1920, 1080), (3840, 2160)]
        self.measure([self.pipeline(f"{w}x{h}", Clip("5", "I420", w, h), CHAIN) for w, h in sizes], frames=40)

    def streams(self):
        clip = Clip("2", "I420", 1280, 720)
        print("\nstreams of 1280x720 at 30 frames a second, I420, two faces, through all three elements")
        [ms] = self.measure([row := self.pipeline("CPU time per frame", clip, CHAIN)]).values()
        print(f"  by that, streams in real time on two cores: {2000 / 30 / ms:.1f}")
        memory = []
        for count in (1, 2, 4, 8):
            branches = [self.launch(clip, CHAIN, 60)[2:] for _ in range(count)]
            memory.append(min(cpu_seconds(["gst-launch-1.0", "-q", *sum(branches, [])], row.environment)[1] for _ in range(ROUNDS)))
            print(f"  memory of {count} in one process, at most{'':<23} {memory[-1]:8.0f} MiB")
        print(f"  of each further stream, its frames included{'':<16} {(memory[-1] - memory[0]) / 7:8.1f} MiB")


def ratio(ms, ours, theirs):
    if ours.name in ms and theirs.name in ms:
        print(f"  -> {ours.name} against {theirs.name}: 1/{ms[theirs.name] / ms[ours.name]:.1f}")


def processor():
    for line in pathlib.Path("/proc/cpuinfo").read_text().splitlines():
        if line.lower().startswith("model name"):
            return line.split(":", 1)[1].strip()
    return platform.machine()


def main(target, clips, peers):
    print(f"one core of {processor()}; CPU time per frame")
    with tempfile.TemporaryDirectory() as stage:
        bench = Bench(pathlib.Path(target), pathlib.Path(clips).resolve(), pathlib.Path(peers), pathlib.Path(stage))
        bench.detectors_and_chain()
        bench.against_stock()
        bench.by_faces()
        bench.by_smallest_face()
        bench.by_resolution()
        bench.streams()


if __name__ == "__main__":
    main(*sys.argv[1:])

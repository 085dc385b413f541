# SPDX-License-Identifier: MIT OR Apache-2.0
"""CPU time per frame of the elements and of what they are compared with, all on one core and in one run.

    compare.py TARGET FRAMES.rgb PEERS

Every row is a process of its own, pinned to one core; its CPU time less that of reading the frames alone, over the
number of frames, less start-up (the same process on one frame). Rows take turns, and the least of the rounds counts.
"""
import importlib.util
import os
import pathlib
import platform
import shutil
import subprocess
import sys
import tempfile

WIDTH, HEIGHT, ROUNDS = 640, 480, 3
CASCADE = "/usr/share/opencv4/haarcascades/haarcascade_frontalface_default.xml"
HERE = pathlib.Path(__file__).parent

READING = "reading the frames"
DETECTOR = "facedetect (CenterFace)"
OPENCV = "gst-opencv's facedetect"
CHAIN = "facedetect ! emotionclassify ! emotionoverlay"
ONNX_LOOP = "Python: Haar, mini-XCEPTION in onnxruntime"
KERAS_LOOP = "Python: Haar, mini-XCEPTION in Keras"


def cpu_seconds(command, environment):
    """User and system time of one run, of all its threads."""
    process = subprocess.Popen(command, env=environment, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE)
    complaint = process.stderr.read()
    _, status, usage = os.wait4(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode:
        raise RuntimeError(f"{' '.join(command)}: {complaint.decode().strip()}")
    return usage.ru_utime + usage.ru_stime


class Bench:
    def __init__(self, target, frames, peers, stage):
        self.frames, self.peers = frames, pathlib.Path(peers)
        self.count = frames.stat().st_size // (WIDTH * HEIGHT * 3)
        self.one = stage / "one.rgb"
        self.one.write_bytes(frames.open("rb").read(WIDTH * HEIGHT * 3))
        plugins = stage / "plugins"
        plugins.mkdir()
        shutil.copy(pathlib.Path(target) / "release/libgstemotion.so", plugins)
        self.environment = os.environ | {"GST_REGISTRY": str(stage / "registry.bin"), "OMP_NUM_THREADS": "1", "TF_CPP_MIN_LOG_LEVEL": "3"}
        self.ours = self.environment | {"GST_PLUGIN_PATH": str(plugins)}
        # A registry without ours, in which `facedetect` is OpenCV's.
        self.stock = self.environment | {"GST_REGISTRY": str(stage / "stock.bin")}

    def pipeline(self, elements, environment):
        def command(file):
            source = f"filesrc location={file} blocksize={WIDTH * HEIGHT * 3} ! rawvideoparse format=rgb width={WIDTH} height={HEIGHT}"
            return ["gst-launch-1.0", "-q", *f"{source} ! {elements}fakesink".split()]

        return command, environment

    def rows(self):
        """Name, how to run it on a file of frames, and what is missing for it."""
        opencv = "" if subprocess.run(["gst-inspect-1.0", "--exists", "cvlaplace"], env=self.stock).returncode == 0 else "no gstreamer1.0-opencv"
        model = self.peers / "mini_xception.onnx"
        no_model = "" if model.is_file() else f"no {model}"
        no_keras = "" if importlib.util.find_spec("tensorflow") else f"no Keras; `{sys.executable} -m pip install tensorflow-cpu` brings it"
        single = "threads=1"

        def python_loop(network):
            return lambda file: [sys.executable, str(HERE / "python_loop.py"), str(file), CASCADE, str(network)]

        return [
            (READING, *self.pipeline("", self.ours), ""),
            (DETECTOR, *self.pipeline(f"emotionfacedetect {single} ! ", self.ours), ""),
            ("facedetect detector=haar", *self.pipeline("emotionfacedetect detector=haar ! ", self.ours), ""),
            (OPENCV, *self.pipeline("facedetect display=false ! ", self.stock), opencv),
            (
                CHAIN,
                *self.pipeline(f"emotionfacedetect {single} ! emotionclassify {single} ! emotionoverlay ! ", self.ours),
                "",
            ),
            (ONNX_LOOP, python_loop(model), self.environment, no_model),
            (KERAS_LOOP, python_loop("keras"), self.environment, no_keras),
        ]

    def measure(self):
        rows = self.rows()
        best = {}
        for _ in range(ROUNDS):
            for name, command, environment, missing in rows:
                if missing:
                    continue
                pinned = lambda file: ["taskset", "-c", "0", *command(file)]
                seconds = cpu_seconds(pinned(self.frames), environment) - cpu_seconds(pinned(self.one), environment)
                best[name] = min(best.get(name, seconds), seconds)
        reading = best[READING]
        per_frame = {name: (seconds - (reading if "Python" not in name else 0)) / (self.count - 1) * 1e3 for name, seconds in best.items()}
        return per_frame, {name: missing for name, _, _, missing in rows if missing}


def processor():
    for line in pathlib.Path("/proc/cpuinfo").read_text().splitlines():
        if line.lower().startswith("model name"):
            return line.split(":", 1)[1].strip()
    return platform.machine()


def report(per_frame, missing):
    chain = per_frame[CHAIN]
    detector = per_frame[DETECTOR]
    print(f"\n640x480, five faces, one core of {processor()}; ms of CPU time per frame\n")
    for name, milliseconds in per_frame.items():
        print(f"  {name:<48} {milliseconds:7.2f}")
    for name, reason in missing.items():
        print(f"  {name:<48} skipped: {reason}")
    print()
    for name, ours, what in [
        (OPENCV, detector, "facedetect"),
        (ONNX_LOOP, chain, "the three elements"),
        (KERAS_LOOP, chain, "the three elements"),
    ]:
        if name in per_frame:
            print(f"  {what} against {name}: 1/{per_frame[name] / ours:.1f}")


if __name__ == "__main__":
    target, frames, peers = sys.argv[1:]
    with tempfile.TemporaryDirectory() as stage:
        report(*Bench(target, pathlib.Path(frames), peers, pathlib.Path(stage)).measure())

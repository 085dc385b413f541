# SPDX-License-Identifier: MIT OR Apache-2.0
"""What `make windows` has built does under Wine what it does on Linux. `packaging/windows/cross test` runs these tests."""

import json
import os
import pathlib
import re
import shutil
import signal
import subprocess
import sys
import time
import unittest

import wine

ELEMENTS = ("facedetect", "emotionfacedetect", "emotionclassify", "emotionoverlay", "emotionexport", "emotionpublish",
            "emotionfacetensordec", "emotionexpressiontensordec")
#: What a bare Windows 10 has, and Python.
SYSTEM_LIBRARIES = re.compile(
    r"(advapi32|bcrypt|bcryptprimitives|combase|crypt32|cryptnet|iphlpapi|kernel32|msvcrt|ncrypt|ntdll|ole32|oleaut32|secur32|shell32"
    r"|user32|userenv|ws2_32|python3|api-ms-win-(core|crt)-[a-z0-9-]+)\.dll", re.IGNORECASE)
CLIP = wine.RESULTS / "reference/clip.mp4"
FRAMES = 60
#: Four folders of this name make a path longer than the 260 characters that Windows allows to old programs.
LONG_NAME = "Aufnahme-" + "x" * 80
PARTS = wine.FILES / "killed.ndjson.parts"


def setUpModule():
    wine.install()
    wine.FILES.mkdir()
    for name in ("clip.mp4", "größer.mp4"):
        shutil.copy(CLIP, wine.FILES / name)


def lines(file):
    return [json.loads(line) for line in pathlib.Path(file).read_text(encoding="utf-8").splitlines()]


class Libraries(unittest.TestCase):
    def test_only_libraries_of_windows_and_gstreamer_are_needed(self):
        files = [*wine.UNPACKED.glob("bin/*.exe"), *wine.UNPACKED.glob("lib/gstreamer-1.0/*.dll"),
                 *wine.SITE.glob("emotion/*.pyd"), *wine.SITE.glob("emotion/gstreamer-1.0/*.dll")]
        self.assertEqual(len(files), 6, files)
        gstreamer = {file.name for file in wine.SITE.glob("gstreamer_libs/bin/*.dll")}
        for file in files:
            table = subprocess.run(["x86_64-w64-mingw32-objdump", "--private-headers", file], capture_output=True, text=True, check=True)
            needed = set(re.findall(r"DLL Name: (\S+)", table.stdout))
            others = {name for name in needed - gstreamer if not SYSTEM_LIBRARIES.fullmatch(name)}
            self.assertEqual(others, set(), file)

    def test_the_module_of_the_package_is_one_for_python(self):
        (module,) = wine.SITE.glob("emotion/_emotion*.pyd")
        table = subprocess.run(["x86_64-w64-mingw32-objdump", "--private-headers", module], capture_output=True, text=True, check=True)
        self.assertIn("PyInit__emotion", table.stdout)
        self.assertIn("DLL Name: python3.dll", table.stdout)


class Wheel(unittest.TestCase):
    def test_gstreamers_packages_find_the_plugin_of_the_wheel(self):
        plugins = str(wine.SITE / "emotion/gstreamer-1.0")
        folders = wine.gstreamer_env()["GST_PLUGIN_PATH_1_0"].split(":")
        self.assertEqual(folders.count(plugins), 1, folders)
        own = wine.gstreamer_env(GST_PLUGIN_PATH_1_0="/own")["GST_PLUGIN_PATH_1_0"].split(":")
        self.assertEqual(own[-2:], [plugins, "/own"])

    def test_without_gstreamers_packages_nothing_is_registered(self):
        site = wine.FILES / "site"
        for folder in ("emotion/gstreamer-1.0", "gstreamer_libs"):
            for file in ("_gst_plugin_emotion.py", "gst_plugin_emotion.pth"):
                site.mkdir(exist_ok=True)
                shutil.copy(wine.SITE / file, site)
            print_variable = "import os, site, sys; site.addsitedir(sys.argv[1]); print(os.environ.get('GST_PLUGIN_PATH_1_0'))"
            command = [sys.executable, "-S", "-c", print_variable, str(site)]
            printed = subprocess.run(command, capture_output=True, text=True, check=True, env={})
            self.assertEqual((printed.stdout.strip(), printed.stderr), ("None", ""))
            (site / folder).mkdir(parents=True)

    def test_each_element_can_be_inspected(self):
        for element in ELEMENTS:
            with self.subTest(element):
                described = wine.inspect(element)
                self.assertRegex(described, r"Factory Details:")
                self.assertRegex(described, r"Filename +.*emotion.gstreamer-1.0.gstemotion.dll")

    def test_a_pipeline_draws_on_test_pictures(self):
        wine.launch("videotestsrc num-buffers=30 ! video/x-raw,format=NV12,width=640,height=480 ! emotionfacedetect ! emotionclassify ! "
                    "emotionoverlay ! emotionexport ! fakesink")

    def test_the_rows_of_a_clip_are_those_of_linux(self):
        for model in ("expression", "expression-int8"):
            with self.subTest(model):
                output = wine.FILES / f"{model}.ndjson"
                # A launch line takes backslashes for escapes, so slashes are what a user writes.
                wine.launch("filesrc location=clip.mp4 ! decodebin ! emotionfacedetect ! emotionclassify "
                            f"model-file={model} ! emotionexport ! filesink location={model}.ndjson", cwd=wine.FILES)
                expected = wine.RESULTS / f"reference/{model}.ndjson"
                subprocess.run([sys.executable, wine.CHECKOUT / "scripts/tests/same_faces.py", expected, output], check=True)


class Gpu(unittest.TestCase):
    def test_the_provider_for_gpus_is_in_the_zip_file_and_loads(self):
        _, errors = wine.launch("videotestsrc num-buffers=1 ! emotionfacedetect execution-provider=webgpu ! fakesink", code=255)
        self.assertRegex(errors, r"onnxruntime_providers_webgpu\.dll has no device")
        names = {file.name for file in (wine.UNPACKED / "lib/gstreamer-1.0/emotion").glob("*.dll")}
        self.assertEqual(names, {"onnxruntime.dll", "onnxruntime_providers_webgpu.dll", "dxcompiler.dll", "dxil.dll"})


class Models(unittest.TestCase):
    LINE = "videotestsrc num-buffers=2 ! emotionclassify model-file=mein-modell ! fakesink"

    def copy_model(self, folder):
        shutil.copytree(wine.CHECKOUT / "models/expression-int8", folder / "mein-modell")
        self.addCleanup(shutil.rmtree, folder)

    def test_folders_of_models_are_separated_by_semicolons(self):
        folder = wine.FILES / "Modelle ä"
        self.copy_model(folder)
        wine.launch(self.LINE, env=wine.environment(GST_EMOTION_MODEL_PATH=f"C:\\nowhere;;{wine.path(folder)}"))

    def test_models_are_found_in_the_data_of_the_user(self):
        (home,) = wine.DRIVE.glob("users/*/AppData/Local")
        self.copy_model(home / "gst-emotion/models")
        wine.launch(self.LINE)

    def test_an_error_lists_the_folders_that_were_searched(self):
        _, errors = wine.launch(self.LINE, code=255, env=wine.environment(GST_EMOTION_MODEL_PATH="C:\\one;D:\\two"))
        for folder in ("C:\\one\\mein-modell", "D:\\two\\mein-modell", "AppData\\Local\\gst-emotion\\models\\mein-modell"):
            self.assertIn(folder, errors)


class Scan(unittest.TestCase):
    def rows(self, path, *options):
        """The rows of a file. `path` is as a user writes it."""
        wine.scan(path, "--output", "rows.ndjson", "--quiet", *options)
        found = lines(wine.FILES / "rows.ndjson")
        self.assertEqual({row["file"] for row in found}, {path})
        for row in found:
            del row["file"]
        return found

    def test_paths_may_have_any_form(self):
        long = wine.FILES.joinpath(*[LONG_NAME] * 4)
        long.mkdir(parents=True)
        self.assertGreater(len(wine.path(long)), 260)
        shares = pathlib.Path(os.environ["WINEPREFIX"]) / "dosdevices/unc/server"
        shares.mkdir(parents=True, exist_ok=True)
        (shares / "share").unlink(missing_ok=True)
        (shares / "share").symlink_to(wine.FILES)
        shutil.copy(CLIP, long)
        shutil.copy(CLIP, wine.DRIVE)
        expected = self.rows("clip.mp4")
        self.assertGreater(len(expected), FRAMES)
        for path in ("größer.mp4", ".\\clip.mp4", "C:\\clip.mp4", "C:/clip.mp4", wine.path(wine.FILES / "clip.mp4"), "\\\\server\\share\\clip.mp4",
                     wine.path(long / "clip.mp4"), "\\\\?\\C:\\clip.mp4"):
            with self.subTest(path):
                self.assertEqual(self.rows(path), expected)

    def test_drawn_files_have_the_names_of_the_inputs_without_the_drive(self):
        shutil.copy(CLIP, wine.DRIVE)
        wine.scan("C:\\clip.mp4", "--output", "drawn.csv", "--annotated", "gezeichnet", "--quiet")
        self.assertGreater((wine.FILES / "gezeichnet/clip.mp4").stat().st_size, 10_000)

    def test_each_format_of_table_is_written_and_a_page_too(self):
        for name in ("table.csv", "table.ndjson", "table.parquet"):
            wine.scan("clip.mp4", "--output", name, "--report", "page.html", "--quiet")
            self.assertGreater((wine.FILES / name).stat().st_size, 1_000)
        self.assertIn("happiness", (wine.FILES / "page.html").read_text(encoding="utf-8"))

    def test_a_list_may_have_line_ends_of_windows(self):
        (wine.FILES / "list.txt").write_bytes("clip.mp4\r\ngrößer.mp4\r\n".encode())
        wine.scan("--list", "list.txt", "--output", "listed.ndjson", "--quiet")
        self.assertEqual({row["file"] for row in lines(wine.FILES / "listed.ndjson")}, {"clip.mp4", "größer.mp4"})

    def test_a_killed_scan_continues_where_it_stopped(self):
        folder = wine.FILES / "viele"
        folder.mkdir()
        for number in range(6):
            shutil.copy(CLIP, folder / f"{number}.mp4")
        wine.scan("viele", "--output", "whole.ndjson", "--quiet")
        arguments = ["viele", "--output", "killed.ndjson", "--jobs", "1", "--quiet"]
        running = wine.start(wine.UNPACKED / "bin/emotion-scan.exe", *arguments, cwd=wine.FILES)
        self.wait_for_lines(PARTS / "0000.log", 4, running)
        running.send_signal(signal.SIGSTOP)
        _, errors = wine.scan(*arguments, code=1)
        self.assertIn("another scan is writing to this folder", errors)
        running.kill()
        running.communicate()
        # Of a finished file, only size and time are read again.
        finished = folder / "0.mp4"
        found = finished.stat()
        finished.write_bytes(bytes(found.st_size))
        os.utime(finished, ns=(found.st_atime_ns, found.st_mtime_ns))
        wine.scan(*arguments)
        self.assertEqual(lines(wine.FILES / "killed.ndjson"), lines(wine.FILES / "whole.ndjson"))
        self.assertFalse(PARTS.exists())

    def wait_for_lines(self, file, number, process):
        end = time.monotonic() + wine.TIMEOUT_S
        while not file.exists() or file.read_bytes().count(b"\n") < number:
            self.assertIsNone(process.poll(), "the scan has ended before it was killed")
            self.assertLess(time.monotonic(), end)
            time.sleep(0.02)


if __name__ == "__main__":
    unittest.main()

# SPDX-License-Identifier: MIT OR Apache-2.0
"""Tells GStreamer's own packages where the plugin of the package `emotion` is.

Python runs `gst_plugin_emotion.pth`, which calls `register`, when it starts. The programs of `gstreamer-cli`, such as
`gst-launch-1.0`, are started by Python. They take the environment of `gstreamer_libs.gstreamer_env()`, which lists the
folders of GStreamer's packages alone, before those that the environment already has.
"""

import os

SITE = os.path.dirname(os.path.abspath(__file__))
VARIABLE = "GST_PLUGIN_PATH_1_0"


def register(environment, site=SITE):
    """Adds the plugin's folder in `site` to `environment`, if GStreamer's packages are there as well."""
    plugins = os.path.join(site, "emotion", "gstreamer-1.0")
    if not (os.path.isdir(os.path.join(site, "gstreamer_libs")) and os.path.isdir(plugins)):
        return
    folders = [folder for folder in environment.get(VARIABLE, "").split(os.pathsep) if folder]
    if plugins not in folders:
        environment[VARIABLE] = os.pathsep.join([plugins, *folders])

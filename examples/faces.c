// SPDX-License-Identifier: MIT OR Apache-2.0
// Reads faces and their apparent expressions in an application: prints a line for each face in each frame of a file.
//   cc faces.c -o faces $(pkg-config --cflags --libs gstreamer-1.0) && ./faces clip.mp4
#include <gst/gst.h>

// Called with each frame. docs/metadata.md lists the fields of the metadata.
static void print_faces(GstElement *sink, GstBuffer *frame, GstPad *pad, gpointer data) {
  (void)sink, (void)pad, (void)data;
  GstCustomMeta *meta = gst_buffer_get_custom_meta(frame, "GstEmotionMeta");
  const GValue *faces = meta ? gst_structure_get_value(gst_custom_meta_get_structure(meta), "faces") : NULL;
  for (guint i = 0; faces && i < gst_value_array_get_size(faces); i++) {
    const GstStructure *face = gst_value_get_structure(gst_value_array_get_value(faces, i));
    const char *label = gst_structure_get_string(face, "label");
    gint id = 0;
    gdouble x = 0, y = 0, w = 0, h = 0, confidence = 0; // the box, as a share of the frame's width and height
    gst_structure_get(face, "id", G_TYPE_INT, &id, "x", G_TYPE_DOUBLE, &x, "y", G_TYPE_DOUBLE, &y, NULL);
    gst_structure_get(face, "w", G_TYPE_DOUBLE, &w, "h", G_TYPE_DOUBLE, &h, NULL);
    gst_structure_get_double(face, "confidence", &confidence);
    g_print("face %d at %.2f,%.2f %.2fx%.2f: %s %.2f\n", id, x, y, w, h, label ? label : "not classified yet", confidence);
  }
}

int main(int argc, char **argv) {
  gst_init(&argc, &argv);
  if (argc != 2) {
    g_printerr("usage: %s FILE\n", argv[0]);
    return 2;
  }
  const char *line = "filesrc name=file ! decodebin ! videoconvert ! emotionfacedetect ! emotionclassify ! fakesink name=out signal-handoffs=true";
  GError *error = NULL;
  GstElement *pipeline = gst_parse_launch(line, &error);
  if (error) {
    g_printerr("%s\n", error->message);
    return 1;
  }
  GstElement *file = gst_bin_get_by_name(GST_BIN(pipeline), "file");
  GstElement *out = gst_bin_get_by_name(GST_BIN(pipeline), "out");
  g_object_set(file, "location", argv[1], NULL);
  g_signal_connect(out, "handoff", G_CALLBACK(print_faces), NULL);
  gst_element_set_state(pipeline, GST_STATE_PLAYING);

  GstBus *bus = gst_element_get_bus(pipeline);
  GstMessage *message = gst_bus_timed_pop_filtered(bus, GST_CLOCK_TIME_NONE, GST_MESSAGE_EOS | GST_MESSAGE_ERROR);
  gst_element_set_state(pipeline, GST_STATE_NULL);
  if (GST_MESSAGE_TYPE(message) == GST_MESSAGE_ERROR) {
    gst_message_parse_error(message, &error, NULL);
    g_printerr("%s\n", error->message);
    return 1;
  }
  return 0;
}

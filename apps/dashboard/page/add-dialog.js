// SPDX-License-Identifier: MIT OR Apache-2.0
// The dialog that adds a source.

import { shareCamera } from "./camera.js";
import { $, $$, setText } from "./dom.js";
import { formatPercent } from "./format.js";
import { request } from "./server.js";
import { uploadFile } from "./upload.js";

export function bindAddDialog() {
  const dialog = $("#adding");
  const form = $("form", dialog);
  for (const button of $$("#add, [data-add]")) button.onclick = () => open(dialog, form);
  form.onchange = () => showFields(form);
  $("[value=cancel]", form).onclick = () => dialog.close();
  form.onsubmit = (event) => {
    event.preventDefault();
    submit(dialog, form);
  };
}

async function open(dialog, form) {
  form.reset();
  showFields(form);
  dialog.showModal();
  const { cameras, files } = await request("api/choices").catch(() => ({ cameras: [], files: [] }));
  fillSelect(form.elements.camera, cameras, "No camera connected");
  fillSelect(form.elements.file, files, "No video in the media folder");
}

/** Shows the fields of the chosen kind of source only. */
function showFields(form) {
  const kind = form.elements.kind.value;
  for (const field of $$("[data-for]", form)) field.hidden = field.dataset.for !== kind;
  setText($(".error", form), "");
}

function fillSelect(select, choices, placeholder) {
  select.replaceChildren(...choices.map((choice) => new Option(choice, choice)));
  if (!choices.length) select.append(new Option(placeholder, ""));
}

async function submit(dialog, form) {
  const button = $("[type=submit]", form);
  const error = $(".error", form);
  button.disabled = true;
  setText(error, "");
  try {
    await addSource(form, (share) => setText(button, `Sending … ${formatPercent(share)}`));
    dialog.close();
  } catch (failure) {
    setText(error, failure.message);
  } finally {
    button.disabled = false;
    setText(button, "Add");
  }
}

async function addSource(form, onProgress) {
  const [kind, name] = [form.elements.kind.value, form.elements.name.value];
  if (kind === "browser") return shareCamera(name);
  if (kind === "upload") {
    const [file] = form.elements.upload.files;
    if (!file) throw new Error("Choose a photo or a video.");
    return uploadFile(file, onProgress);
  }
  return request("api/sources", { method: "POST", body: { kind, address: form.elements[kind].value, name } });
}

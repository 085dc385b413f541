// SPDX-License-Identifier: MIT OR Apache-2.0
// The page: binds its controls and follows the server's list of sources.

import { bindAddDialog } from "./add-dialog.js";
import { bindTheme, bindWallMode } from "./appearance.js";
import { $, setText } from "./dom.js";
import { drawFace } from "./expressions.js";
import { bindLanguageMenu } from "./labels.js";
import { keepConnected } from "./server.js";
import { redrawTimelines, showList } from "./sources.js";

drawFace($("#empty .face"), "happiness");
bindTheme($("#theme"), redrawTimelines);
bindLanguageMenu($("#language"));
bindWallMode($("#wall"));
bindAddDialog();
keepConnected("api/list", {
  onJson: (list) => {
    setText($("#connection"), "");
    showList(list);
  },
  onClose: () => setText($("#connection"), "Disconnected, reconnecting …"),
});

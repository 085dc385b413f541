// SPDX-License-Identifier: MIT OR Apache-2.0
// The page: binds its controls and follows the server's list of sources.

import { bindAddDialog } from "./add-dialog.js";
import { bindTheme, bindWallMode } from "./appearance.js";
import { $, setText } from "./dom.js";
import { drawFace } from "./drawn-face.js";
import { bindFleet } from "./fleet.js";
import { bindLanguageMenu } from "./labels.js";
import { followOverview } from "./overview.js";
import { keepConnected } from "./server.js";
import { redrawTimelines, showList } from "./sources.js";
import { bindMenu } from "./tile-controls.js";
import { bindChoice } from "./tiles.js";
import { bindDrop } from "./upload.js";

drawFace($("#empty .face"), "happiness");
bindTheme($("#theme"), redrawTimelines);
bindLanguageMenu($("#language"));
bindWallMode($("#wall"));
bindAddDialog();
bindMenu($("#choice"));
bindChoice($("#choice"));
bindFleet();
bindDrop($("#drop"), $("#uploading"));
followOverview();
keepConnected("api/list", {
  onJson: (list) => {
    setText($("#connection"), "");
    showList(list);
  },
  onClose: () => setText($("#connection"), "Disconnected, reconnecting …"),
});

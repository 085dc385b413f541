// SPDX-License-Identifier: MIT OR Apache-2.0
// Follows what the server says about the fleet and the alerts.

import { showAlerts } from "./alerts.js";
import { forgetFleet, showFleet } from "./fleet.js";
import { syncClock } from "./server-clock.js";
import { keepConnected } from "./server.js";

export function followOverview() {
  keepConnected("api/overview", {
    onJson: ({ now, fleet, alerts }) => {
      syncClock(now);
      if (fleet) showFleet(fleet);
      if (alerts) showAlerts(alerts);
    },
    // The next connection may be to a server that has started anew, with other ids.
    onClose: forgetFleet,
  });
}

// SPDX-License-Identifier: MIT OR Apache-2.0
//! What `systemctl status` shows of the service (sd_notify(3)).

use std::os::unix::net::UnixDatagram;

/// The environment variable with the address of the service manager.
const SOCKET_VARIABLE: &str = "NOTIFY_SOCKET";

/// Shows `text` as the status of the service, if a service manager has started the program.
pub fn tell(text: &str) {
    let Some(address) = std::env::var_os(SOCKET_VARIABLE) else { return };
    let line = text.lines().next().unwrap_or_default();
    // There is nobody to report a failure to.
    let _ = UnixDatagram::unbound().and_then(|socket| socket.send_to(format!("STATUS={line}\n").as_bytes(), address));
}

// SPDX-License-Identifier: MIT OR Apache-2.0
//! Serves a camera's RTSP stream again with faces drawn in the picture, and with records of the faces as a second stream.
//!
//! ```text
//! emotion-rtsp-relay rtsp://camera/stream
//! gst-launch-1.0 playbin uri=rtsp://127.0.0.1:8554/faces
//! ```
//!
//! The camera may disconnect, stall or change its resolution: its pipeline is rebuilt, while clients stay connected and see
//! the stream continue. Frames that cannot be processed in time are skipped, so that the latency is at most the camera's
//! jitter buffer plus one frame for each step.

mod camera;
mod options;
mod outlet;
#[path = "../../secret.rs"]
mod secret;

use std::process::ExitCode;
use std::sync::Arc;

use gst::glib;
use gst_rtsp_server::prelude::*;

use options::Options;
use outlet::Outlet;

/// The user name in the addresses of clients.
const USER: &str = "viewer";
/// Maximum number of threads for clients. A DESCRIBE request blocks its thread, and all clients of that thread, until the
/// stream has a picture.
const CLIENT_THREADS: i32 = 64;

fn main() -> ExitCode {
    let options = match Options::from_env() {
        Ok(Some(options)) => options,
        Ok(None) => {
            println!("{}", options::USAGE);
            return ExitCode::SUCCESS;
        }
        Err(error) => {
            eprintln!("rtsp-relay: {error}\n\n{}", options::USAGE);
            return ExitCode::from(2);
        }
    };
    match serve(options) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("rtsp-relay: {error}");
            ExitCode::FAILURE
        }
    }
}

/// Serves until the process ends.
fn serve(options: Options) -> Result<(), Box<dyn std::error::Error>> {
    gst::init()?;
    gstemotion::plugin_register_static()?;
    let outlet = Arc::new(Outlet::default());

    let server = gst_rtsp_server::RTSPServer::new();
    server.set_address(&options.listen.ip().to_string());
    server.set_service(&options.listen.port().to_string());
    server.thread_pool().ok_or("the RTSP server has no thread pool")?.set_max_threads(CLIENT_THREADS);
    let mounts = server.mount_points().ok_or("the RTSP server has no mount points")?;
    let factory = outlet::factory(&outlet);
    if let Some(token) = &options.token {
        require_secret(&server, &factory, token);
    }
    mounts.add_factory(&options.path, factory);
    server.attach(None).map_err(|_| format!("cannot listen on {}: is the port in use?", options.listen))?;
    println!("rtsp-relay: serving rtsp://{}:{}{}", options.listen.ip(), server.bound_port(), options.path);

    std::thread::Builder::new().name("camera".into()).spawn(move || camera::run(&options, &outlet))?;
    glib::MainLoop::new(None, false).run();
    Ok(())
}

/// Requires `secret` from clients. They prove that they know it without sending it (digest authentication, RFC 2069).
fn require_secret(server: &gst_rtsp_server::RTSPServer, factory: &gst_rtsp_server::RTSPMediaFactory, secret: &str) {
    let role = gst::Structure::builder(USER)
        .field(gst_rtsp_server::RTSP_PERM_MEDIA_FACTORY_ACCESS, true)
        .field(gst_rtsp_server::RTSP_PERM_MEDIA_FACTORY_CONSTRUCT, true);
    factory.add_role_from_structure(&role.build());
    let token = gst_rtsp_server::RTSPToken::builder().field(gst_rtsp_server::RTSP_TOKEN_MEDIA_FACTORY_ROLE, USER).build();
    let auth = gst_rtsp_server::RTSPAuth::new();
    auth.set_supported_methods(gst_rtsp::RTSPAuthMethod::Digest);
    auth.add_digest(USER, secret, &token);
    server.set_auth(Some(&auth));
}

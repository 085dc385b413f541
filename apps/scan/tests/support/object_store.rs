// SPDX-License-Identifier: MIT OR Apache-2.0
//! A server of S3 whose buckets are the folders of a folder.

use std::net::SocketAddr;
use std::path::Path;
use std::sync::{Arc, Mutex};

use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper::{Method, Response};
use hyper_util::rt::TokioIo;
use s3s::Body;
use s3s::auth::SimpleAuth;
use s3s::service::S3ServiceBuilder;
use tokio::net::TcpListener;
use tokio::runtime::{Builder, Runtime};

/// The keys that the server knows.
const ACCESS_KEY: &str = "AKTEST";
const SECRET_KEY: &str = "secret-of-the-test";

/// A running server.
pub struct ObjectServer {
    address: SocketAddr,
    requests: Arc<Mutex<Vec<String>>>,
    _runtime: Runtime,
}

impl ObjectServer {
    /// Serves the folders of `root` as buckets.
    pub fn start(root: &Path) -> Self {
        let runtime = Builder::new_multi_thread().worker_threads(1).enable_all().build().unwrap();
        let listener = runtime.block_on(TcpListener::bind("127.0.0.1:0")).unwrap();
        let (address, requests) = (listener.local_addr().unwrap(), Arc::<Mutex<Vec<String>>>::default());
        let mut builder = S3ServiceBuilder::new(s3s_fs::FileSystem::new(root).unwrap());
        builder.set_auth(SimpleAuth::from_single(ACCESS_KEY, SECRET_KEY));
        let (service, log, root) = (builder.build(), requests.clone(), root.to_owned());
        runtime.spawn(async move {
            loop {
                let (stream, _) = listener.accept().await.unwrap();
                let (service, log, root) = (service.clone(), log.clone(), root.clone());
                let answer = service_fn(move |request: hyper::Request<hyper::body::Incoming>| {
                    let path = request.uri().path().to_owned();
                    log.lock().unwrap().push(format!("{} {path}", request.method()));
                    // Unlike S3, this server answers for folders as if they were objects.
                    let is_folder = request.method() == Method::HEAD && root.join(path.trim_start_matches('/')).is_dir();
                    let service = service.clone();
                    async move {
                        if is_folder {
                            Ok(Response::builder().status(404).body(Body::empty()).unwrap())
                        } else {
                            service.call(request.map(Body::from)).await
                        }
                    }
                });
                tokio::spawn(http1::Builder::new().serve_connection(TokioIo::new(stream), answer));
            }
        });
        Self { address, requests, _runtime: runtime }
    }

    /// The environment in which `emotion-scan` uses the server.
    pub fn environment(&self) -> Vec<(&'static str, String)> {
        vec![
            ("AWS_ACCESS_KEY_ID", ACCESS_KEY.into()),
            ("AWS_SECRET_ACCESS_KEY", SECRET_KEY.into()),
            ("AWS_REGION", "us-east-1".into()),
            ("AWS_ENDPOINT_URL", format!("http://{}", self.address)),
            ("AWS_ALLOW_HTTP", "true".into()),
        ]
    }

    /// The requests so far that begin with `start`, such as `GET /bucket/key`, in the order of names.
    pub fn requests(&self, start: &str) -> Vec<String> {
        let mut requests: Vec<String> =
            self.requests.lock().unwrap().iter().filter(|request| request.starts_with(start)).cloned().collect();
        requests.sort_unstable();
        requests
    }
}

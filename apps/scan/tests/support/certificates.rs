// SPDX-License-Identifier: MIT OR Apache-2.0
//! A certificate for this machine, signed by an authority of the test. Made by the command `openssl`.

use std::path::Path;
use std::process::Command;
use std::sync::Arc;

use rustls::ServerConfig;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};

/// Writes the certificate of the authority to `ca.pem` in `folder`, and returns the settings of a server that shows another
/// one.
pub fn create(folder: &Path) -> Arc<ServerConfig> {
    std::fs::create_dir_all(folder).unwrap();
    std::fs::write(folder.join("extensions"), "subjectAltName=IP:127.0.0.1").unwrap();
    let key = "-newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes";
    openssl(folder, &format!("req -x509 {key} -days 2 -subj /CN=authority -keyout ca.key -out ca.pem"));
    openssl(folder, &format!("req {key} -subj /CN=server -keyout server.key -out server.csr"));
    openssl(folder, "x509 -req -days 2 -CA ca.pem -CAkey ca.key -CAcreateserial -extfile extensions -in server.csr -out server.pem");
    let certificate = CertificateDer::from_pem_file(folder.join("server.pem")).unwrap();
    let key = PrivateKeyDer::from_pem_file(folder.join("server.key")).unwrap();
    let builder = ServerConfig::builder_with_provider(Arc::new(rustls::crypto::ring::default_provider()));
    let builder = builder.with_safe_default_protocol_versions().unwrap().with_no_client_auth();
    Arc::new(builder.with_single_cert(vec![certificate], key).unwrap())
}

fn openssl(folder: &Path, arguments: &str) {
    let output = Command::new("openssl").args(arguments.split(' ')).current_dir(folder).output().unwrap();
    assert!(output.status.success(), "openssl {arguments}: {}", String::from_utf8_lossy(&output.stderr));
}

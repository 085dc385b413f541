// SPDX-License-Identifier: MIT OR Apache-2.0
//! Encryption: whom to trust, and who the publisher is.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::{ClientConfig, RootCertStore};

use crate::error::{Error, Result};

/// How a publisher presents itself to a broker.
#[derive(Clone)]
pub struct Login {
    /// Name of the connection, unique at the broker.
    pub client_id: String,
    /// The password, if there is one.
    pub password: Option<String>,
    /// Encryption, or `None` for a connection in the clear.
    pub tls: Option<Arc<ClientConfig>>,
}

/// Files for encryption, in PEM format.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct TlsFiles {
    /// Certificates of the authorities to trust. `None` trusts the system's.
    pub authorities: Option<PathBuf>,
    /// The publisher's own certificate and key, if the broker asks for them.
    pub client: Option<(PathBuf, PathBuf)>,
}

impl TlsFiles {
    /// Reads the files.
    ///
    /// # Errors
    /// [`Error::Certificate`] that names the file and what is wrong with it, [`Error::NoAuthorities`], [`Error::Tls`].
    pub fn load(&self) -> Result<Arc<ClientConfig>> {
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let builder =
            ClientConfig::builder_with_provider(provider).with_safe_default_protocol_versions()?.with_root_certificates(self.roots()?);
        let Some((certificate, key)) = &self.client else { return Ok(Arc::new(builder.with_no_client_auth())) };
        let private = PrivateKeyDer::from_pem_file(key).map_err(|error| wrong(key, "a private key in PEM format", &error))?;
        let config = builder.with_client_auth_cert(certificates(certificate)?, private);
        Ok(Arc::new(config.map_err(|error| wrong(certificate, "a certificate that matches the key", &error))?))
    }

    fn roots(&self) -> Result<RootCertStore> {
        let mut roots = RootCertStore::empty();
        match &self.authorities {
            Some(path) => {
                for certificate in certificates(path)? {
                    roots.add(certificate).map_err(|error| wrong(path, "certificates of authorities", &error))?;
                }
            }
            None => {
                roots.add_parsable_certificates(rustls_native_certs::load_native_certs().certs);
            }
        }
        if roots.is_empty() {
            return Err(Error::NoAuthorities);
        }
        Ok(roots)
    }
}

fn certificates(path: &Path) -> Result<Vec<CertificateDer<'static>>> {
    let expected = "certificates in PEM format";
    let certificates: std::result::Result<Vec<_>, _> =
        CertificateDer::pem_file_iter(path).map_err(|error| wrong(path, expected, &error))?.collect();
    let certificates = certificates.map_err(|error| wrong(path, expected, &error))?;
    if certificates.is_empty() { Err(wrong(path, expected, &"none")) } else { Ok(certificates) }
}

fn wrong(path: &Path, expected: &'static str, found: &dyn std::fmt::Display) -> Error {
    Error::Certificate { path: path.to_owned(), expected, found: found.to_string() }
}

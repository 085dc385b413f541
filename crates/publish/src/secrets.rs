// SPDX-License-Identifier: MIT OR Apache-2.0
//! Where the secrets of a connection are.

use std::path::PathBuf;

use serde::Deserialize;

use super::tls::{Login, TlsFiles};
use crate::error::{Error, Result};
use crate::location::Location;

/// Where a password is read from if `password-file` is not set.
const PASSWORD_VARIABLE: &str = "GST_EMOTION_PUBLISH_PASSWORD";

/// Name and files of a connection. The fields have the names of the properties of `emotionpublish`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case", default)]
pub struct Secrets {
    /// Name of the connection, unique at the broker. `None` chooses a random name.
    pub client_id: Option<String>,
    /// File with the password. `None` reads the environment variable `GST_EMOTION_PUBLISH_PASSWORD`.
    pub password_file: Option<PathBuf>,
    /// Authorities to trust, in PEM format. `None` trusts the system's.
    pub ca_file: Option<PathBuf>,
    /// Certificate of this client, in PEM format.
    pub certificate_file: Option<PathBuf>,
    /// Private key of the certificate, in PEM format.
    pub key_file: Option<PathBuf>,
}

impl Secrets {
    /// How to log in at `location`. `start` is a random number of this start.
    ///
    /// # Errors
    /// If a file cannot be read or is not what it should be.
    pub fn login(&self, location: &Location, start: u64) -> Result<Login> {
        Ok(Login {
            client_id: self.client_id.clone().unwrap_or_else(|| format!("emotion-{start:016x}")),
            password: self.password()?,
            tls: if location.tls { Some(self.tls_files()?.load()?) } else { None },
        })
    }

    fn tls_files(&self) -> Result<TlsFiles> {
        let client = match (&self.certificate_file, &self.key_file) {
            (Some(certificate), Some(key)) => Some((certificate.clone(), key.clone())),
            (None, None) => None,
            _ => return Err(Error::HalfIdentity),
        };
        Ok(TlsFiles { authorities: self.ca_file.clone(), client })
    }

    fn password(&self) -> Result<Option<String>> {
        let Some(file) = &self.password_file else { return Ok(std::env::var(PASSWORD_VARIABLE).ok()) };
        let text = std::fs::read_to_string(file).map_err(Error::io(file))?;
        Ok(Some(text.trim_end_matches(['\r', '\n']).to_owned()))
    }
}

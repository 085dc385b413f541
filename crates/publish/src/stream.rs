// SPDX-License-Identifier: MIT OR Apache-2.0
//! The bytes of a connection, by TCP or encrypted.

use rustls::pki_types::ServerName;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;

use crate::failure::Failure;
use crate::location::Location;
use crate::tls::Login;

/// A stream of bytes in both directions.
pub trait Duplex: AsyncRead + AsyncWrite + Send + Unpin {}

impl<T: AsyncRead + AsyncWrite + Send + Unpin> Duplex for T {}

/// Connects to a server, encrypted if its address says so.
pub async fn connect(location: &Location, login: &Login) -> Result<Box<dyn Duplex>, Failure> {
    let host = location.host_without_brackets();
    let unreachable = |error: std::io::Error| Failure::Unreachable(error.to_string());
    let stream = TcpStream::connect((host, location.port)).await.map_err(unreachable)?;
    // A record is written at once, so waiting for more of it gains nothing.
    stream.set_nodelay(true).map_err(unreachable)?;
    let Some(tls) = &login.tls else { return Ok(Box::new(stream)) };
    let name = ServerName::try_from(host.to_owned())
        .map_err(|_| Failure::Unreachable(format!("TLS: expected a host name or an address, found {host:?}")))?;
    let stream = TlsConnector::from(tls.clone()).connect(name, stream).await;
    Ok(Box::new(stream.map_err(|error| Failure::Unreachable(format!("TLS: {error}")))?))
}

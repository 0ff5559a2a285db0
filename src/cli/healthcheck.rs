//! `presigned healthcheck`: for containers that have no curl.

use std::io::{ErrorKind, Read, Write};
use std::net::{TcpStream, ToSocketAddrs as _};
use std::sync::Arc;
use std::time::Duration;

use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::crypto::{CryptoProvider, ring, verify_tls12_signature, verify_tls13_signature};
use rustls::{ClientConfig, ClientConnection, DigitallySignedStruct, SignatureScheme, StreamOwned};
use rustls_pki_types::{CertificateDer, ServerName, UnixTime};

use super::Failure;
use crate::admin::HEALTH;

/// How long the server may take for each step.
const TIMEOUT: Duration = Duration::from_secs(5);
/// Most bytes of an answer that are looked at.
const ANSWER_BYTES_MAX: u64 = 4096;

#[derive(Debug, clap::Args)]
pub(super) struct Arguments {
    /// URL of the server
    #[arg(default_value = "http://127.0.0.1:9000")]
    url: String,
}

/// Succeeds if the server says that it is up.
pub(super) fn run(arguments: &Arguments) -> Result<(), Failure> {
    let url = &arguments.url;
    let uri: http::Uri = url.parse().map_err(|error| format!("{url:?} is not a URL: {error}"))?;
    let host = uri.host().ok_or_else(|| format!("{url:?} has no host"))?;
    let tls = match uri.scheme_str() {
        Some("http") => false,
        Some("https") => true,
        _ => return Err(format!("{url:?} is not an http or https URL").into()),
    };
    let port = uri.port_u16().unwrap_or(if tls { 443 } else { 80 });
    let name = host.trim_start_matches('[').trim_end_matches(']');
    let path = if uri.path().len() > 1 { uri.path() } else { HEALTH };
    let fail = |error: &dyn std::fmt::Display| format!("{url} does not answer: {error}");
    let address = (name, port).to_socket_addrs().map_err(|error| fail(&error))?.next();
    let address = address.ok_or_else(|| fail(&"the host has no address"))?;
    let stream = TcpStream::connect_timeout(&address, TIMEOUT).map_err(|error| fail(&error))?;
    stream.set_read_timeout(Some(TIMEOUT))?;
    stream.set_write_timeout(Some(TIMEOUT))?;
    let head = format!("GET {path} HTTP/1.1\r\nHost: {host}:{port}\r\nConnection: close\r\n\r\n");
    let answer = match tls {
        false => ask(stream, &head),
        true => ask(encrypted(stream, name)?, &head),
    };
    let answer = answer.map_err(|error| match error.kind() == ErrorKind::WouldBlock {
        true => fail(&format!("it took longer than {} s", TIMEOUT.as_secs())),
        false => fail(&error),
    })?;
    match answer.split(' ').nth(1) {
        Some("200") => Ok(()),
        _ => Err(format!("{url} answers {:?}", answer.lines().next().unwrap_or_default()).into()),
    }
}

fn ask(mut stream: impl Read + Write, head: &str) -> std::io::Result<String> {
    stream.write_all(head.as_bytes())?;
    let mut answer = Vec::new();
    // A peer that ends TLS without saying so has still answered.
    match stream.take(ANSWER_BYTES_MAX).read_to_end(&mut answer) {
        Err(error) if answer.is_empty() => Err(error),
        _ => Ok(String::from_utf8_lossy(&answer).into_owned()),
    }
}

fn encrypted(stream: TcpStream, name: &str) -> Result<StreamOwned<ClientConnection, TcpStream>, Failure> {
    let provider = Arc::new(ring::default_provider());
    let config = ClientConfig::builder_with_provider(Arc::clone(&provider))
        .with_safe_default_protocol_versions()?
        .dangerous()
        .with_custom_certificate_verifier(Arc::new(AnyCertificate(provider)))
        .with_no_client_auth();
    let connection = ClientConnection::new(Arc::new(config), ServerName::try_from(name.to_owned())?)?;
    Ok(StreamOwned::new(connection, stream))
}

/// Accepts every certificate: the question is whether the server is up, and nothing secret is sent.
#[derive(Debug)]
struct AnyCertificate(Arc<CryptoProvider>);

impl ServerCertVerifier for AnyCertificate {
    fn verify_server_cert(
        &self,
        _: &CertificateDer<'_>,
        _: &[CertificateDer<'_>],
        _: &ServerName<'_>,
        _: &[u8],
        _: UnixTime,
    ) -> Result<ServerCertVerified, rustls::Error> {
        Ok(ServerCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        verify_tls12_signature(message, certificate, signature, &self.0.signature_verification_algorithms)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        verify_tls13_signature(message, certificate, signature, &self.0.signature_verification_algorithms)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.0.signature_verification_algorithms.supported_schemes()
    }
}

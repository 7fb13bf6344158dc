//! Which servers are believed: the system's certificate bundle and the registry's own CA; and as whom we are known.

use std::sync::Arc;

use ureq::tls::{Certificate, ClientCert, PemItem, PrivateKey, RootCerts, TlsConfig, parse_pem};

use crate::frame::FrameError;
use crate::unpack::messages::BlobSource;

/// Where distributions keep the bundle; the first that can be read is taken.
const BUNDLES: [&str; 4] = [
    "/etc/ssl/certs/ca-certificates.crt",
    "/etc/pki/tls/certs/ca-bundle.crt",
    "/etc/ssl/ca-bundle.pem",
    "/etc/ssl/cert.pem",
];

/// TLS settings that trust the system's bundle (`SSL_CERT_FILE` first) and the source's CA; with `insecure` any
/// certificate will do.
pub fn tls_config(source: &BlobSource) -> Result<TlsConfig, FrameError> {
    let mut roots = Vec::new();
    if !source.insecure {
        let named = std::env::var("SSL_CERT_FILE").unwrap_or_default();
        let mut bundles = [named.as_str()].into_iter().chain(BUNDLES);
        let bundle = bundles.find_map(|path| std::fs::read(path).ok()).unwrap_or_default();
        roots.extend(certificates(&bundle).filter_map(Result::ok));
        for certificate in certificates(source.ca_pem.as_bytes()) {
            roots.push(certificate.map_err(|error| invalid("caPem", &error))?);
        }
    }
    Ok(TlsConfig::builder()
        .root_certs(RootCerts::Specific(Arc::new(roots)))
        .client_cert(client(&source.client_pem)?)
        .disable_verification(source.insecure)
        .unversioned_rustls_crypto_provider(Arc::new(rustls::crypto::ring::default_provider()))
        .build())
}

/// The certificate and key to show; `None` for none.
fn client(pem: &str) -> Result<Option<ClientCert>, FrameError> {
    if pem.is_empty() {
        return Ok(None);
    }
    let chain: Vec<_> =
        certificates(pem.as_bytes()).collect::<Result<_, _>>().map_err(|error| invalid("clientPem", &error))?;
    let key = PrivateKey::from_pem(pem.as_bytes()).map_err(|error| invalid("clientPem", &error))?;
    Ok(Some(ClientCert::new_with_certs(&chain, key)))
}

fn invalid(what: &str, error: &ureq::Error) -> FrameError {
    FrameError::new("invalid", format!("{what}: {error}"))
}

fn certificates(pem: &[u8]) -> impl Iterator<Item = Result<Certificate<'static>, ureq::Error>> {
    parse_pem(pem).filter_map(|item| match item {
        Ok(PemItem::Certificate(certificate)) => Some(Ok(certificate)),
        Ok(_) => None,
        Err(error) => Some(Err(error)),
    })
}

//! Which servers are believed: the system's certificate bundle and the registry's own CA.

use std::sync::Arc;

use ureq::tls::{Certificate, PemItem, RootCerts, TlsConfig, parse_pem};

use crate::frame::FrameError;

/// Where distributions keep the bundle; the first that can be read is taken.
const BUNDLES: [&str; 4] = [
    "/etc/ssl/certs/ca-certificates.crt",
    "/etc/pki/tls/certs/ca-bundle.crt",
    "/etc/ssl/ca-bundle.pem",
    "/etc/ssl/cert.pem",
];

/// TLS settings that trust the system's bundle and `ca_pem`; with `insecure` any certificate will do.
pub fn tls_config(ca_pem: &str, insecure: bool) -> Result<TlsConfig, FrameError> {
    let mut roots = Vec::new();
    if !insecure {
        let bundle = BUNDLES.iter().find_map(|path| std::fs::read(path).ok()).unwrap_or_default();
        roots.extend(certificates(&bundle).filter_map(Result::ok));
        for certificate in certificates(ca_pem.as_bytes()) {
            roots.push(certificate.map_err(|error| FrameError::new("invalid", format!("caPem: {error}")))?);
        }
    }
    Ok(TlsConfig::builder()
        .root_certs(RootCerts::Specific(Arc::new(roots)))
        .disable_verification(insecure)
        .unversioned_rustls_crypto_provider(Arc::new(rustls::crypto::ring::default_provider()))
        .build())
}

fn certificates(pem: &[u8]) -> impl Iterator<Item = Result<Certificate<'static>, ureq::Error>> {
    parse_pem(pem).filter_map(|item| match item {
        Ok(PemItem::Certificate(certificate)) => Some(Ok(certificate)),
        Ok(_) => None,
        Err(error) => Some(Err(error)),
    })
}

//! Layers over TLS: who is believed.

use std::net::TcpStream;
use std::sync::Arc;

use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, IsCa, KeyPair};
use rustls::pki_types::{PrivateKeyDer, PrivatePkcs8KeyDer};
use rustls::{ServerConfig, ServerConnection, StreamOwned};

use super::scratch::Scratch;
use super::server::{ReadWrite, Server, serve};
use super::transfer::{ask, fetch, noise, refusal};
use crate::unpack::messages::Compression::None as Plain;
use crate::unpack::messages::FetchLayerAsk;

/// A server for `registry.test`, and the PEM of the authority that vouches for it.
fn secure_server(body: Vec<u8>) -> (Server, String) {
    let mut authority = CertificateParams::new(Vec::new()).unwrap();
    authority.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    let issuer = CertifiedIssuer::self_signed(authority, KeyPair::generate().unwrap()).unwrap();
    let key = KeyPair::generate().unwrap();
    let names = vec!["registry.test".to_owned()];
    let certificate = CertificateParams::new(names).unwrap().signed_by(&key, &issuer).unwrap();
    let key = PrivateKeyDer::from(PrivatePkcs8KeyDer::from(key.serialize_der()));
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let config = ServerConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_no_client_auth()
        .with_single_cert(vec![certificate.der().clone()], key)
        .unwrap();
    let config = Arc::new(config);
    let wrap = move |stream: TcpStream| -> Option<Box<dyn ReadWrite>> {
        Some(Box::new(StreamOwned::new(ServerConnection::new(config.clone()).ok()?, stream)))
    };
    let server = Server::start_wrapped(wrap, move |_, request, connection| serve(&body, request, connection));
    (server, issuer.pem())
}

fn secure_ask(scratch: &Scratch, server: &Server, tar: &[u8]) -> FetchLayerAsk {
    let mut ask = ask(scratch, server.port(), tar, Plain, tar);
    ask.source.url = ask.source.url.replace("http:", "https:");
    ask
}

#[test]
fn a_registry_is_believed_when_its_authority_is_given() {
    let (scratch, tar) = (Scratch::new(), noise(500_000));
    let (server, ca_pem) = secure_server(tar.clone());
    let mut ask = secure_ask(&scratch, &server, &tar);
    ask.source.ca_pem = ca_pem;
    fetch(&ask).unwrap();
}

#[test]
fn an_unknown_authority_or_another_name_is_refused_at_the_first_attempt() {
    let (scratch, tar) = (Scratch::new(), noise(10));
    let (server, ca_pem) = secure_server(tar.clone());
    let error = refusal(&scratch, &secure_ask(&scratch, &server, &tar));
    assert_eq!(error.kind, "registry-unavailable");
    assert!(error.message.contains("certificate") && !error.message.contains("attempt"), "{}", error.message);
    let mut other_name = secure_ask(&scratch, &server, &tar);
    other_name.source.ca_pem = ca_pem;
    other_name.source.url = other_name.source.url.replace("registry.test", "other.test");
    assert!(refusal(&scratch, &other_name).message.contains("certificate"));
    assert!(server.asked().is_empty());
}

#[test]
fn an_insecure_registry_is_believed_whoever_it_is() {
    let (scratch, tar) = (Scratch::new(), noise(10));
    let (server, _) = secure_server(tar.clone());
    let mut ask = secure_ask(&scratch, &server, &tar);
    ask.source.insecure = true;
    fetch(&ask).unwrap();
}

#[test]
fn an_authority_that_is_no_certificate_is_invalid() {
    let (scratch, tar) = (Scratch::new(), noise(10));
    let (server, _) = secure_server(tar.clone());
    let ca_pem = "-----BEGIN CERTIFICATE-----\n!\n-----END CERTIFICATE-----\n".to_owned();
    let mut ask = secure_ask(&scratch, &server, &tar);
    ask.source.ca_pem = ca_pem;
    let error = refusal(&scratch, &ask);
    assert_eq!(error.kind, "invalid");
}

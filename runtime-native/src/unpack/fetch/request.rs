//! One GET of the blob from a given byte on: redirects followed, the answer judged.

use std::io::Read;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use ureq::http::{HeaderMap, HeaderName, HeaderValue, Response, StatusCode, Uri, header};
use ureq::unversioned::transport::{ConnectProxyConnector, Connector, RustlsConnector};
use ureq::{Agent, Body, Proxy};

use super::location;
use super::retry_after::retry_after;
use super::trust;
use super::wire::{Addresses, WireConnector};
use crate::frame::FrameError;
use crate::unpack::messages::FetchLayerAsk;
use crate::unpack::stream::Flow;

const REDIRECTS: usize = 5;
/// Connections of one blob that wait for its next range.
const CONNECTIONS: usize = 4;

/// Why a request brought no blob.
pub enum Trouble {
    /// Another attempt may do better, after the pause that the registry asked for.
    Passing(FrameError, Duration),
    /// This source will not do, another one may.
    Source(FrameError),
    /// The bytes themselves are wrong, and they have been handed on.
    Final(FrameError),
}

impl Trouble {
    /// A connection that failed.
    pub fn passing(message: impl Into<String>) -> Self {
        Self::Passing(FrameError::new("registry-unavailable", message), Duration::ZERO)
    }

    fn source(kind: &str, message: impl Into<String>) -> Self {
        Self::Source(FrameError::new(kind, message))
    }
}

/// What is asked for, and of whom.
pub struct Request {
    agent: Agent,
    uri: Uri,
    headers: HeaderMap,
    size_bytes: u64,
}

impl Request {
    /// Prepares requests for the blob of `ask`; connects to nothing yet.
    pub fn new(ask: &FetchLayerAsk, flow: Arc<Flow>) -> Result<Self, FrameError> {
        let invalid = |what: &str| FrameError::new("invalid", format!("{what} of the layer's request is malformed"));
        let source = &ask.source;
        let uri: Uri = source.url.parse().map_err(|_| invalid("url"))?;
        let proxy = match source.proxy.as_str() {
            "" => None,
            url => Some(Proxy::new(url).map_err(|_| invalid("proxy"))?),
        };
        let host = match &proxy {
            Some(proxy) => proxy.host().to_owned(),
            None => uri.host().ok_or_else(|| invalid("url"))?.to_owned(),
        };
        let mut headers = HeaderMap::new();
        for (name, value) in &source.headers {
            let name: HeaderName = name.parse().map_err(|_| invalid("a header name"))?;
            let value = HeaderValue::from_str(value).map_err(|_| invalid("a header value"))?;
            headers.insert(name, value);
        }
        let config = Agent::config_builder()
            .http_status_as_error(false)
            .max_redirects(0)
            .max_redirects_will_error(false)
            .user_agent(concat!("berth/", env!("CARGO_PKG_VERSION")))
            .accept_encoding("identity")
            .max_idle_connections_per_host(CONNECTIONS)
            .proxy(proxy)
            .tls_config(trust::tls_config(source)?)
            .build();
        let stall = Duration::from_millis(ask.stall_ms);
        let wire = WireConnector { min_bytes: ask.min_bytes_per_stall, stall, flow };
        let addresses = Addresses { host, given: source.addresses.clone() };
        let connector = ConnectProxyConnector::default().chain(wire).chain(RustlsConnector::default());
        let agent = Agent::with_parts(config, connector, addresses);
        Ok(Self { agent, uri, headers, size_bytes: ask.size_bytes })
    }

    /// The blob from byte `offset` on.
    pub fn open(&self, offset: u64) -> Result<impl Read + Send + use<>, Trouble> {
        let range = (offset > 0).then(|| format!("bytes={offset}-"));
        let response = self.follow(range.as_deref())?;
        let skipped = self.judge(&response, offset)?;
        let mut body = response.into_body().into_reader();
        let skip = std::io::copy(&mut body.by_ref().take(skipped), &mut std::io::sink());
        match skip {
            Ok(bytes) if bytes == skipped => Ok(body),
            _ => Err(Trouble::passing("the connection broke off")),
        }
    }

    /// Exactly the bytes from `from` on that come before `to`, of a server that answers ranges.
    pub fn open_range(&self, from: u64, to: u64) -> Result<impl Read + Send + use<>, Trouble> {
        let response = self.follow(Some(&format!("bytes={from}-{}", to - 1)))?;
        if response.status() == StatusCode::PARTIAL_CONTENT {
            let asked = ContentRange { first: from, last: to - 1, total: Some(self.size_bytes) };
            return match content_range(response.headers()) {
                Some(range) if range == asked => Ok(response.into_body().into_reader()),
                _ => Err(Trouble::source("unavailable", "the registry answers another range than asked for")),
            };
        }
        self.judge(&response, from)?;
        Err(Trouble::source("unavailable", "the registry answers no ranges"))
    }

    /// The first answer that is not a redirect. Headers of the ask go to the ask's own origin alone.
    fn follow(&self, range: Option<&str>) -> Result<Response<Body>, Trouble> {
        let mut uri = self.uri.clone();
        for _ in 0..=REDIRECTS {
            let mut request = self.agent.get(&uri);
            if location::same_origin(&uri, &self.uri) {
                for (name, value) in &self.headers {
                    request = request.header(name, value);
                }
            }
            if let Some(range) = range {
                request = request.header(header::RANGE, range);
            }
            let response = request.call().map_err(|error| connection_trouble(&uri, &error))?;
            if !is_redirect(response.status()) {
                return Ok(response);
            }
            let target = response.headers().get(header::LOCATION).and_then(|value| value.to_str().ok());
            let Some(next) = target.and_then(|target| location::resolve(&uri, target)) else {
                return Err(Trouble::source("unavailable", format!("{} redirects to nowhere", origin(&uri))));
            };
            uri = next;
        }
        let message = format!("{} redirects more than {REDIRECTS} times", origin(&self.uri));
        Err(Trouble::source("unavailable", message))
    }

    /// How many bytes of the answer come before `offset`, or why the answer will not do.
    fn judge(&self, response: &Response<Body>, offset: u64) -> Result<u64, Trouble> {
        let status = response.status();
        let length = response.body().content_length();
        let (start, length) = match status {
            StatusCode::OK => (0, length),
            StatusCode::PARTIAL_CONTENT => match content_range(response.headers()) {
                Some(range) if range.first <= offset => (range.first, range.total),
                _ => return Err(Trouble::source("unavailable", "the registry answers another range than asked for")),
            },
            _ => return Err(status_trouble(status, response.headers())),
        };
        match length {
            Some(length) if length != self.size_bytes => {
                let message = format!("blob should have {} bytes, the registry has {length}", self.size_bytes);
                Err(Trouble::source("corrupt", message))
            }
            _ => Ok(offset - start),
        }
    }
}

fn is_redirect(status: StatusCode) -> bool {
    matches!(status.as_u16(), 301 | 302 | 303 | 307 | 308)
}

/// `Content-Range: bytes FIRST-LAST/TOTAL` (RFC 9110 §14.4).
#[derive(PartialEq, Eq)]
struct ContentRange {
    first: u64,
    last: u64,
    total: Option<u64>,
}

fn content_range(headers: &HeaderMap) -> Option<ContentRange> {
    let value = headers.get(header::CONTENT_RANGE)?.to_str().ok()?;
    let (range, total) = value.strip_prefix("bytes ")?.split_once('/')?;
    let (first, last) = range.split_once('-')?;
    Some(ContentRange { first: first.parse().ok()?, last: last.parse().ok()?, total: total.parse().ok() })
}

fn status_trouble(status: StatusCode, headers: &HeaderMap) -> Trouble {
    let answered = format!("the registry answers {status}");
    match status.as_u16() {
        401 | 403 => Trouble::source("denied", answered),
        404 => Trouble::source("not-found", answered),
        408 | 429 | 500..=599 => {
            Trouble::Passing(FrameError::new("registry-unavailable", answered), retry_after(headers, SystemTime::now()))
        }
        _ => Trouble::source("unavailable", answered),
    }
}

fn connection_trouble(uri: &Uri, error: &ureq::Error) -> Trouble {
    let failure = FrameError::new("registry-unavailable", format!("{}: {error}", origin(uri)));
    if is_certificate_error(error) { Trouble::Source(failure) } else { Trouble::Passing(failure, Duration::ZERO) }
}

fn is_certificate_error(error: &ureq::Error) -> bool {
    let inner = match error {
        ureq::Error::Rustls(inner) => Some(inner),
        ureq::Error::Io(error) => error.get_ref().and_then(|inner| inner.downcast_ref::<rustls::Error>()),
        _ => None,
    };
    matches!(inner, Some(rustls::Error::InvalidCertificate(_)))
}

/// Scheme, host and port: what a message may say of a URL, whose path and query may hold secrets.
fn origin(uri: &Uri) -> String {
    format!("{}://{}:{}", uri.scheme_str().unwrap_or_default(), uri.host().unwrap_or_default(), location::port(uri))
}

//! Where a redirect leads (RFC 3986 §5.2, as far as registries need it).

use ureq::http::Uri;

/// The absolute URL that `location`, answered to a request for `base`, stands for; `None` when it is none we follow.
pub fn resolve(base: &Uri, location: &str) -> Option<Uri> {
    let location = location.split('#').next().unwrap_or_default();
    let scheme = base.scheme_str()?;
    let authority = base.authority()?;
    let absolute = if location.starts_with("http://") || location.starts_with("https://") {
        location.to_owned()
    } else if location.starts_with("//") {
        format!("{scheme}:{location}")
    } else if location.starts_with('/') {
        format!("{scheme}://{authority}{location}")
    } else {
        let folder = base.path().rsplit_once('/').map_or("", |(folder, _)| folder);
        format!("{scheme}://{authority}{folder}/{location}")
    };
    let uri: Uri = absolute.parse().ok()?;
    uri.host().filter(|host| !host.is_empty())?;
    Some(uri)
}

/// True when both URLs have the same scheme, host and port, so that credentials for one may go to the other.
pub fn same_origin(one: &Uri, other: &Uri) -> bool {
    let origin = |uri: &Uri| (uri.scheme_str().map(str::to_owned), uri.host().map(str::to_lowercase), port(uri));
    origin(one) == origin(other)
}

/// The port of `uri`, the scheme's own when it names none.
pub fn port(uri: &Uri) -> u16 {
    uri.port_u16().unwrap_or(if uri.scheme_str() == Some("http") { 80 } else { 443 })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fuzz::{fuzz, mutated};

    fn from_base(location: &str) -> Option<String> {
        resolve(&"https://r.example:5000/v2/a/blobs/x?q=1".parse().unwrap(), location).map(|uri| uri.to_string())
    }

    #[test]
    fn every_form_of_location_is_resolved() {
        assert_eq!(from_base("http://cdn.example/y?s=1#f").unwrap(), "http://cdn.example/y?s=1");
        assert_eq!(from_base("//cdn.example/y").unwrap(), "https://cdn.example/y");
        assert_eq!(from_base("/y").unwrap(), "https://r.example:5000/y");
        assert_eq!(from_base("y").unwrap(), "https://r.example:5000/v2/a/blobs/y");
        assert_eq!(from_base("http://"), None);
    }

    #[test]
    fn any_location() {
        let base: Uri = "https://r.example:5000/v2/a/blobs/x?q=1".parse().unwrap();
        let seeds = ["http://cdn.example/y?s=1#f", "//cdn.example/y", "/y", "y", "https://user:pw@[::1]:443/a b"];
        fuzz("location", &seeds.map(|seed| seed.as_bytes().to_vec()), mutated, |input, _| {
            let Ok(text) = std::str::from_utf8(input) else { return "no text".to_owned() };
            let Some(uri) = resolve(&base, text) else { return "none".to_owned() };
            assert!(uri.scheme_str().is_some() && uri.host().is_some_and(|host| !host.is_empty()), "{uri}");
            assert_eq!(resolve(&base, &uri.to_string()).as_ref(), Some(&uri));
            format!("{} {}", same_origin(&base, &uri), port(&uri) == 443)
        });
    }

    #[test]
    fn an_origin_is_scheme_host_and_port() {
        let same = |one: &str, other: &str| same_origin(&one.parse().unwrap(), &other.parse().unwrap());
        assert!(same("https://R.example/a", "https://r.example:443/b"));
        assert!(!same("https://r.example/a", "http://r.example/a"));
        assert!(!same("https://r.example/a", "https://r.example:444/a"));
        assert!(!same("https://r.example/a", "https://r.example.evil/a"));
    }
}

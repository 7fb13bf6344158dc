//! Where in the tree an entry belongs, from its name alone (OCI image-spec, layer, "Whiteouts"). No I/O.

use crate::frame::FrameError;
use crate::unpack::limits::exceeded;
use crate::unpack::tar::quoted;

/// Components of a name; deeper trees cannot be removed with a bounded number of open directories.
const COMPONENTS: usize = 256;

/// A cleaned name, split at its last component: no empty parts, no `.`, no `..`, no leading slash.
#[derive(Debug, PartialEq, Eq)]
pub enum Place {
    /// The top of the layer itself.
    Root,
    At {
        parent: Vec<u8>,
        name: Vec<u8>,
    },
    /// `.wh.NAME`: NAME of the layers below is gone.
    Whiteout {
        parent: Vec<u8>,
        name: Vec<u8>,
    },
    /// `.wh..wh..opq`: all that the layers below have in `parent` is gone.
    Opaque {
        parent: Vec<u8>,
    },
    /// Other `.wh..wh.` names belong to aufs and mean nothing here.
    Ignored,
}

impl Place {
    /// Reads an entry's name; `invalid` when it leads out of the layer.
    pub fn of(name: &[u8]) -> Result<Self, FrameError> {
        let clean = clean(name)?;
        let Some(base) = clean.last() else { return Ok(Self::Root) };
        let parent = clean[..clean.len() - 1].join(&b'/');
        if *base == b".wh..wh..opq" {
            return Ok(Self::Opaque { parent });
        }
        if base.starts_with(b".wh..wh.") {
            return Ok(Self::Ignored);
        }
        let Some(hidden) = base.strip_prefix(b".wh.") else {
            return Ok(Self::At { parent, name: base.to_vec() });
        };
        if matches!(hidden, b"" | b"." | b"..") {
            return Err(FrameError::new("invalid", format!("entry {}: a whiteout of nothing", quoted(name))));
        }
        Ok(Self::Whiteout { parent, name: hidden.to_vec() })
    }
}

fn clean(name: &[u8]) -> Result<Vec<&[u8]>, FrameError> {
    let mut parts: Vec<&[u8]> = Vec::new();
    for part in name.split(|byte| *byte == b'/') {
        match part {
            b"" | b"." => {}
            b".." if parts.pop().is_none() => {
                return Err(FrameError::new("invalid", format!("entry {} leads out of the layer", quoted(name))));
            }
            b".." => {}
            part => parts.push(part),
        }
        if parts.len() > COMPONENTS {
            return Err(exceeded("directories in a name", COMPONENTS as u64));
        }
    }
    Ok(parts)
}

/// `parent/name`, or `name` at the top.
pub fn join(parent: &[u8], name: &[u8]) -> Vec<u8> {
    if parent.is_empty() { name.to_vec() } else { [parent, b"/", name].concat() }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(parent: &str, name: &str) -> Place {
        Place::At { parent: parent.into(), name: name.into() }
    }

    #[test]
    fn names_are_cleaned_and_kept_inside() {
        assert_eq!(Place::of(b"./").unwrap(), Place::Root);
        assert_eq!(Place::of(b"/").unwrap(), Place::Root);
        assert_eq!(Place::of(b"/etc//./passwd/").unwrap(), at("etc", "passwd"));
        assert_eq!(Place::of(b"a/../b").unwrap(), at("", "b"));
        for bad in ["..", "../a", "a/../../b", "/../etc/passwd"] {
            assert_eq!(Place::of(bad.as_bytes()).unwrap_err().kind, "invalid", "{bad}");
        }
        assert!(Place::of("d/".repeat(300).as_bytes()).is_err());
    }

    #[test]
    fn whiteouts_are_told_from_names_and_from_leftovers_of_aufs() {
        let hidden = Place::Whiteout { parent: b"a".to_vec(), name: b"b".to_vec() };
        assert_eq!(Place::of(b"a/.wh.b").unwrap(), hidden);
        assert_eq!(Place::of(b"a/.wh..wh..opq").unwrap(), Place::Opaque { parent: b"a".to_vec() });
        assert_eq!(Place::of(b".wh..wh.plnk").unwrap(), Place::Ignored);
        for bad in ["a/.wh.", "a/.wh..", "a/.wh..."] {
            assert!(Place::of(bad.as_bytes()).is_err(), "{bad}");
        }
    }
}

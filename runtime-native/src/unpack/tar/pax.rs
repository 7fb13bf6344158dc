//! PAX extended headers (POSIX.1-2001 pax, "Extended Header"): records that override fields of the next header. No I/O.

use super::sparse::Records;

/// What extension headers say of the next entry; GNU long names land here too.
#[derive(Debug, Default)]
pub struct Extension {
    pub path: Option<Vec<u8>>,
    pub link: Option<Vec<u8>>,
    pub size: Option<u64>,
    pub uid: Option<u64>,
    pub gid: Option<u64>,
    /// Seconds and nanoseconds.
    pub mtime: Option<(i64, u32)>,
    /// Extended attributes by name (`SCHILY.xattr.*`).
    pub xattrs: Vec<(Vec<u8>, Vec<u8>)>,
    pub sparse: Records,
    /// Name of a sparse file, whose `path` is made up for readers that do not know of them.
    pub sparse_path: Option<Vec<u8>>,
}

impl Extension {
    /// Takes in the records of one header's data; the error says what is malformed.
    pub fn read(&mut self, mut records: &[u8]) -> Result<(), String> {
        while !records.is_empty() {
            let (key, value, rest) = split_record(records).ok_or("a PAX record is malformed")?;
            self.set(key, value)?;
            records = rest;
        }
        Ok(())
    }

    fn set(&mut self, key: &[u8], value: &[u8]) -> Result<(), String> {
        match key {
            b"path" => self.path = named(value)?,
            b"linkpath" => self.link = named(value)?,
            b"size" => self.size = Some(size(value).ok_or("its PAX size is not a size")?),
            b"uid" => self.uid = Some(decimal(value).ok_or("its PAX uid is not a number")?),
            b"gid" => self.gid = Some(decimal(value).ok_or("its PAX gid is not a number")?),
            b"mtime" => self.mtime = Some(time(value).ok_or("its PAX mtime is not a number")?),
            b"GNU.sparse.name" => self.sparse_path = named(value)?,
            _ => {
                if let Some(key) = key.strip_prefix(b"GNU.sparse.") {
                    self.sparse.set(key, value)?;
                } else if let Some(name) = key.strip_prefix(b"SCHILY.xattr.") {
                    self.xattrs.retain(|(known, _)| known != name);
                    self.xattrs.push((name.to_vec(), value.to_vec()));
                }
            }
        }
        Ok(())
    }
}

/// Key, value and what follows of `LENGTH KEY=VALUE\n`, where LENGTH counts all of it.
fn split_record(records: &[u8]) -> Option<(&[u8], &[u8], &[u8])> {
    let blank = records.iter().position(|byte| *byte == b' ')?;
    let length = usize::try_from(decimal(&records[..blank])?).ok()?;
    let (record, rest) = records.split_at_checked(length)?;
    let body = record.get(blank + 1..)?.strip_suffix(b"\n")?;
    let equals = body.iter().position(|byte| *byte == b'=')?;
    Some((&body[..equals], &body[equals + 1..], rest))
}

/// A name; an empty one takes an earlier override back.
fn named(value: &[u8]) -> Result<Option<Vec<u8>>, String> {
    if value.contains(&0) {
        return Err("its PAX name holds a zero byte".to_owned());
    }
    Ok((!value.is_empty()).then(|| value.to_vec()))
}

/// A size that a file can have: below 2^63.
fn size(value: &[u8]) -> Option<u64> {
    decimal(value).filter(|size| i64::try_from(*size).is_ok())
}

pub fn decimal(digits: &[u8]) -> Option<u64> {
    if digits.is_empty() || !digits.iter().all(u8::is_ascii_digit) {
        return None;
    }
    std::str::from_utf8(digits).ok()?.parse().ok()
}

/// `-?SECONDS[.FRACTION]`; a negative time is rounded down to keep its fraction positive.
fn time(value: &[u8]) -> Option<(i64, u32)> {
    let (negative, value) = value.strip_prefix(b"-").map_or((false, value), |rest| (true, rest));
    let mut parts = value.splitn(2, |byte| *byte == b'.');
    let seconds = i64::try_from(decimal(parts.next()?)?).ok()?;
    let mut fraction = parts.next().unwrap_or_default().to_vec();
    fraction.truncate(9);
    fraction.resize(9, b'0');
    let nanoseconds = u32::try_from(decimal(&fraction)?).ok()?;
    Some(match (negative, nanoseconds) {
        (false, _) => (seconds, nanoseconds),
        (true, 0) => (-seconds, 0),
        (true, _) => (-seconds - 1, 1_000_000_000 - nanoseconds),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn records_set_the_fields_they_name() {
        let mut extension = Extension::default();
        extension.read(b"12 path=a/b\n14 mtime=1.25\n26 SCHILY.xattr.user.a=\0=\n").unwrap();
        assert_eq!(extension.path.unwrap(), b"a/b");
        assert_eq!(extension.mtime, Some((1, 250_000_000)));
        assert_eq!(extension.xattrs, [(b"user.a".to_vec(), b"\0=".to_vec())]);
    }

    #[test]
    fn malformed_records_are_refused() {
        for bad in [&b"x"[..], b"0 a=b\n", b"3 \n", b"99 path=a\n", b"8 path=a\n", b"10 size=-1\n", b"11 path=a\0\n"] {
            assert!(Extension::default().read(bad).is_err(), "{}", String::from_utf8_lossy(bad));
        }
    }

    #[test]
    fn times_keep_nanoseconds_on_both_sides_of_the_epoch() {
        assert_eq!(time(b"12.5"), Some((12, 500_000_000)));
        assert_eq!(time(b"-1.25"), Some((-2, 750_000_000)));
        assert_eq!(time(b"7"), Some((7, 0)));
        assert_eq!(time(b"7."), Some((7, 0)));
        assert_eq!(time(b"x"), None);
    }
}

//! Tar archives written byte by byte, so that malformed ones can be made too.

/// One entry; `..Default::default()` makes an empty regular file of root's.
pub struct Item<'a> {
    pub name: &'a str,
    pub kind: u8,
    pub mode: u32,
    pub owner: (u32, u32),
    pub mtime: u64,
    pub link: &'a str,
    pub device: (u32, u32),
    pub data: &'a [u8],
}

impl Default for Item<'_> {
    fn default() -> Self {
        Self { name: "", kind: b'0', mode: 0o644, owner: (0, 0), mtime: 1, link: "", device: (0, 0), data: b"" }
    }
}

pub fn file<'a>(name: &'a str, data: &'a [u8]) -> Item<'a> {
    Item { name, data, ..Item::default() }
}

pub fn directory(name: &str) -> Item<'_> {
    Item { name, kind: b'5', mode: 0o755, ..Item::default() }
}

pub fn symlink<'a>(name: &'a str, link: &'a str) -> Item<'a> {
    Item { name, link, kind: b'2', mode: 0o777, ..Item::default() }
}

pub fn hardlink<'a>(name: &'a str, link: &'a str) -> Item<'a> {
    Item { name, link, kind: b'1', ..Item::default() }
}

/// An extension header: PAX (`x`), GNU long name (`L`) or GNU long link (`K`).
pub fn extension(kind: u8, data: &[u8]) -> Item<'_> {
    Item { name: "././@LongLink", kind, data, ..Item::default() }
}

/// PAX records.
pub fn pax(records: &[(&str, &[u8])]) -> Vec<u8> {
    let mut all = Vec::new();
    for (key, value) in records {
        let body = key.len() + value.len() + 3; // blank, equals sign, newline
        let length = (1..).find(|length| body + length.to_string().len() == *length).unwrap();
        all.extend_from_slice(format!("{length} {key}=").as_bytes());
        all.extend_from_slice(value);
        all.push(b'\n');
    }
    all
}

/// The archive of `items`, ended by two zero blocks.
pub fn tar(items: &[Item<'_>]) -> Vec<u8> {
    let mut archive = Vec::new();
    for item in items {
        archive.extend_from_slice(&header(item));
        archive.extend_from_slice(item.data);
        archive.resize(archive.len().next_multiple_of(512), 0);
    }
    archive.resize(archive.len() + 1024, 0);
    archive
}

fn header(item: &Item<'_>) -> [u8; 512] {
    let mut block = [0; 512];
    let mut put = |at: usize, text: &str| block[at..at + text.len()].copy_from_slice(text.as_bytes());
    put(0, item.name);
    put(100, &format!("{:07o}", item.mode));
    put(108, &format!("{:07o}", item.owner.0));
    put(116, &format!("{:07o}", item.owner.1));
    put(124, &format!("{:011o}", item.data.len()));
    put(136, &format!("{:011o}", item.mtime));
    put(148, "        ");
    put(157, item.link);
    put(257, "ustar\x0000");
    put(329, &format!("{:07o}", item.device.0));
    put(337, &format!("{:07o}", item.device.1));
    block[156] = item.kind;
    let sum: u32 = block.iter().map(|byte| u32::from(*byte)).sum();
    block[148..155].copy_from_slice(format!("{sum:06o}\0").as_bytes());
    block
}

/// Gives every header of a changed archive its right sum again.
pub fn mend(archive: &mut [u8]) {
    for block in archive.chunks_exact_mut(512).filter(|block| &block[257..262] == b"ustar") {
        block[148..156].fill(b' ');
        let sum: u32 = block.iter().map(|byte| u32::from(*byte)).sum();
        block[148..155].copy_from_slice(format!("{sum:06o}\0").as_bytes());
    }
}

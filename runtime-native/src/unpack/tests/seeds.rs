//! Archives and blobs that fuzz targets begin with.

use super::archive::{Item, directory, extension, file, hardlink, pax, symlink, tar};
use super::transfer::gzip;

/// Archives with something of everything; their links lead to `outside` too.
pub fn archives(outside: &str) -> Vec<Vec<u8>> {
    let names = pax(&[("path", b"long/name"), ("size", b"3"), ("mtime", b"1.5"), ("uid", b"7"), ("gid", b"8")]);
    let attributes = pax(&[("SCHILY.xattr.user.a", b"b"), ("linkpath", b"d/f"), ("path", b"")]);
    let sparse_0 = pax(&[("GNU.sparse.size", b"9000"), ("GNU.sparse.offset", b"8000"), ("GNU.sparse.numbytes", b"3")]);
    let sparse_1 = pax(&[("GNU.sparse.size", b"9000"), ("GNU.sparse.map", b"0,1,5000,2"), ("GNU.sparse.name", b"s")]);
    let sparse_2 = pax(&[("GNU.sparse.major", b"1"), ("GNU.sparse.minor", b"0"), ("GNU.sparse.realsize", b"9000")]);
    let mut in_data = b"2\n0\n1\n5000\n2\n".to_vec();
    in_data.resize(512, 0);
    in_data.extend_from_slice(b"abc");
    let above = format!("../{outside}");
    let lists: [&[Item<'_>]; 8] = [
        &[
            directory("d"),
            Item { owner: (1, 2), ..file("d/f", b"data") },
            hardlink("h", "d/f"),
            symlink("y", "../../d"),
        ],
        &[extension(b'x', &names), file("x", b"abc"), extension(b'x', &attributes), hardlink("z", "long/name")],
        &[
            extension(b'L', b"gnu/long/name\0"),
            extension(b'K', b"gnu/long/name\0"),
            symlink("y", "x"),
            file("y/x", b"1"),
        ],
        &[file("d/.wh.gone", b""), file("d/.wh..wh..opq", b""), file("d/gone", b"back"), directory("d/gone")],
        &[
            symlink("out", outside),
            file("out/file", b"!"),
            symlink("up", &above),
            directory("up/new"),
            hardlink("out", "up"),
        ],
        &[
            Item { kind: b'3', device: (1, 3), ..file("null", b"") },
            Item { kind: b'6', ..file("p", b"") },
            hardlink("null", "p"),
        ],
        &[extension(b'x', &sparse_0), file("s", b"end"), extension(b'x', &sparse_1), file("t", b"abc")],
        &[extension(b'x', &sparse_2), file("u", &in_data), Item { kind: b'S', ..file("v", b"") }],
    ];
    lists.map(tar).to_vec()
}

/// Blobs of every compression, one of them of two gzip members.
pub fn compressed() -> Vec<Vec<u8>> {
    let archive = tar(&[file("a", &[7; 5000]), file("b", b"some text, some text, some text")]);
    let members = [gzip(&archive[..700]), gzip(&archive[700..])].concat();
    vec![gzip(&archive), members, zstd::encode_all(archive.as_slice(), 3).unwrap(), archive]
}

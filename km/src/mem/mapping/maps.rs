//! The text of `/proc/PID/maps`, byte for byte as Linux writes it.

use std::ops::Range;

use super::{FileInfo, Kind, Mapping, Prot};

/// Names begin behind this column and one more blank.
const NAME_COLUMN: usize = 72;

/// Appends one line. `is_deleted` tells whether a file's name no longer leads
/// to it.
pub(super) fn write_line(
    out: &mut Vec<u8>,
    range: &Range<u64>,
    mapping: &Mapping,
    is_deleted: impl Fn(&FileInfo) -> bool,
) {
    let (offset, dev, ino) = match &mapping.kind {
        Kind::File { file, offset } => (*offset, file.dev, file.ino),
        _ => (0, 0, 0),
    };
    let right = |prot, letter| {
        if mapping.prot.contains(prot) {
            letter
        } else {
            '-'
        }
    };
    let attributes = format!(
        "{:08x}-{:08x} {}{}{}{} {offset:08x} {:02x}:{:02x} {ino} ",
        range.start,
        range.end,
        right(Prot::READ, 'r'),
        right(Prot::WRITE, 'w'),
        right(Prot::EXEC, 'x'),
        if mapping.shared { 's' } else { 'p' },
        major(dev),
        minor(dev),
    );
    let name: &[u8] = match &mapping.kind {
        Kind::Anon => b"",
        Kind::File { file, .. } => &file.path,
        Kind::Heap => b"[heap]",
        Kind::Stack => b"[stack]",
        Kind::Vdso => b"[vdso]",
        Kind::Vvar => b"[vvar]",
    };
    out.extend_from_slice(attributes.as_bytes());
    if !name.is_empty() {
        out.resize(
            out.len()
                .saturating_add(NAME_COLUMN.saturating_sub(attributes.len())),
            b' ',
        );
        out.push(b' ');
        for (i, part) in name.split(|&byte| byte == b'\n').enumerate() {
            if i > 0 {
                out.extend_from_slice(b"\\012");
            }
            out.extend_from_slice(part);
        }
        if matches!(&mapping.kind, Kind::File { file, .. } if is_deleted(file)) {
            out.extend_from_slice(b" (deleted)");
        }
    }
    out.push(b'\n');
}

/// The major number in an `st_dev`.
fn major(dev: u64) -> u64 {
    (dev >> 8 & 0xfff) | (dev >> 32 & 0xffff_f000)
}

/// The minor number in an `st_dev`.
fn minor(dev: u64) -> u64 {
    (dev & 0xff) | (dev >> 12 & 0xffff_ff00)
}

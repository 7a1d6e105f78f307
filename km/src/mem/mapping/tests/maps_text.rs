//! The text of `/proc/PID/maps`.

use std::ops::Range;
use std::sync::Arc;

use proptest::prelude::*;

use super::super::{FileInfo, Kind, Mapping, MappingTable, Prot};
use super::model::{PAGE, grown};

proptest! {
    #[test]
    fn maps_text_reads_back((table, _) in grown()) {
        let mut text = Vec::new();
        table.write_maps(&mut text, |_| false);
        let lines: Vec<Line> = text.split_inclusive(|&byte| byte == b'\n').map(Line::parse).collect();
        let expected: Vec<Line> = table.iter().map(|(range, mapping)| Line::of(range, mapping)).collect();
        prop_assert_eq!(lines, expected);
    }
}

/// A line of `/proc/PID/maps`, as a reader of it sees it.
#[derive(Debug, PartialEq)]
struct Line {
    range: Range<u64>,
    rights: String,
    offset: u64,
    dev: (u64, u64),
    ino: u64,
    name: Vec<u8>,
}

impl Line {
    fn parse(line: &[u8]) -> Self {
        let line = line.strip_suffix(b"\n").expect("a line end");
        assert!(!line.contains(&b'\n'), "a name broke the line");
        let mut fields = line.splitn(6, |&byte| byte == b' ');
        let mut field = || std::str::from_utf8(fields.next().expect("six fields")).unwrap();
        let hex = |text| u64::from_str_radix(text, 16).unwrap();
        let (start, end) = field().split_once('-').unwrap();
        let rights = field().to_owned();
        let offset = hex(field());
        let (major, minor) = field().split_once(':').unwrap();
        let ino = field().parse().unwrap();
        let name = fields.next().expect("six fields");
        let blanks = name.iter().take_while(|&&byte| byte == b' ').count();
        let escaped = String::from_utf8(
            name[blanks..]
                .iter()
                .flat_map(|b| b.escape_ascii())
                .collect(),
        )
        .unwrap();
        Self {
            range: hex(start)..hex(end),
            rights,
            offset,
            dev: (hex(major), hex(minor)),
            ino,
            name: escaped.replace("\\\\012", "\\n").into_bytes(),
        }
    }

    fn of(range: Range<u64>, mapping: &Mapping) -> Self {
        let rights =
            [(Prot::READ, 'r'), (Prot::WRITE, 'w'), (Prot::EXEC, 'x')].map(|(prot, letter)| {
                if mapping.prot.contains(prot) {
                    letter
                } else {
                    '-'
                }
            });
        let share = if mapping.shared { 's' } else { 'p' };
        let (offset, dev, ino, name) = match &mapping.kind {
            Kind::File { file, offset } => {
                let (major, minor) = (libc_major(file.dev), libc_minor(file.dev));
                (*offset, (major, minor), file.ino, &file.path[..])
            }
            Kind::Anon => (0, (0, 0), 0, &b""[..]),
            Kind::Heap => (0, (0, 0), 0, &b"[heap]"[..]),
            Kind::Stack => (0, (0, 0), 0, &b"[stack]"[..]),
            Kind::Vdso => (0, (0, 0), 0, &b"[vdso]"[..]),
            Kind::Vvar => (0, (0, 0), 0, &b"[vvar]"[..]),
        };
        let rights = rights.into_iter().chain([share]).collect();
        let name = name.iter().flat_map(|b| b.escape_ascii()).collect();
        Self {
            range,
            rights,
            offset,
            dev,
            ino,
            name,
        }
    }
}

fn libc_major(dev: u64) -> u64 {
    libc::major(dev).into()
}

fn libc_minor(dev: u64) -> u64 {
    libc::minor(dev).into()
}

/// Lines as Linux 6.18 wrote them, and the same said to the table.
#[test]
fn maps_text_is_linux_s() {
    let cat = |writable| {
        Arc::new(FileInfo {
            path: b"/usr/bin/cat".to_vec(),
            dev: 0xfe00,
            ino: 247_030,
            writable,
        })
    };
    let file = |offset| Kind::File {
        file: cat(false),
        offset,
    };
    let mut table = MappingTable::new();
    table.insert(
        0x5560_1a17_1000..0x5560_1a17_3000,
        Mapping::new(Prot::READ, file(0)),
    );
    table.insert(
        0x5560_1a17_3000..0x5560_1a17_8000,
        Mapping::new(Prot::READ | Prot::EXEC, file(0x2000)),
    );
    table.insert(
        0x5560_1d49_5000..0x5560_1d4b_6000,
        Mapping::new(Prot::READ | Prot::WRITE, Kind::Heap),
    );
    table.insert(
        0x7fc1_a616_f000..0x7fc1_a619_1000,
        Mapping::new(Prot::READ | Prot::WRITE, Kind::Anon),
    );
    let shared = Kind::File {
        file: Arc::new(FileInfo::shared_anonymous(1026)),
        offset: 0,
    };
    let shared = Mapping {
        shared: true,
        ..Mapping::new(Prot::READ | Prot::WRITE, shared)
    };
    table.insert(0x7fc1_a63d_7000..0x7fc1_a63d_e000, shared);
    table.insert(
        0x7fc1_a63e_1000..0x7fc1_a63e_5000,
        Mapping::new(Prot::READ, Kind::Vvar),
    );
    table.insert(
        0x7fc1_a63e_7000..0x7fc1_a63e_9000,
        Mapping::new(Prot::READ | Prot::EXEC, Kind::Vdso),
    );
    table.insert(
        0x7ffe_f6f3_9000..0x7ffe_f6f5_a000,
        Mapping::new(Prot::READ | Prot::WRITE, Kind::Stack),
    );
    table.insert(
        0x40_0000..0x40_1000,
        Mapping::new(Prot::empty(), Kind::Anon),
    );

    let mut text = Vec::new();
    table.write_maps(&mut text, |_| false);
    let expected = "\
00400000-00401000 ---p 00000000 00:00 0 
55601a171000-55601a173000 r--p 00000000 fe:00 247030                     /usr/bin/cat
55601a173000-55601a178000 r-xp 00002000 fe:00 247030                     /usr/bin/cat
55601d495000-55601d4b6000 rw-p 00000000 00:00 0                          [heap]
7fc1a616f000-7fc1a6191000 rw-p 00000000 00:00 0 
7fc1a63d7000-7fc1a63de000 rw-s 00000000 00:01 1026                       /dev/zero (deleted)
7fc1a63e1000-7fc1a63e5000 r--p 00000000 00:00 0                          [vvar]
7fc1a63e7000-7fc1a63e9000 r-xp 00000000 00:00 0                          [vdso]
7ffef6f39000-7ffef6f5a000 rw-p 00000000 00:00 0                          [stack]
";
    assert_eq!(String::from_utf8(text).unwrap(), expected);
}

#[test]
fn maps_text_escapes_line_ends_only() {
    let path = b"/tmp/a\nb \\c".to_vec();
    let file = Arc::new(FileInfo {
        path,
        dev: 0x801,
        ino: u64::MAX,
        writable: false,
    });
    let mut table = MappingTable::new();
    table.insert(
        0..PAGE,
        Mapping::new(
            Prot::READ,
            Kind::File {
                file,
                offset: 0xffff_ffff_f000,
            },
        ),
    );
    let mut text = Vec::new();
    table.write_maps(&mut text, |_| false);
    let expected = "00000000-00001000 r--p fffffffff000 08:01 18446744073709551615           /tmp/a\\012b \\c\n";
    assert_eq!(String::from_utf8(text).unwrap(), expected);
}

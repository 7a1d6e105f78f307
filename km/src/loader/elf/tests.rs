use goblin::elf64::program_header::PT_PHDR;

use self::builder::*;
use super::*;

mod any;
mod builder;
mod linux;

#[test]
fn plans_a_fixed_program() {
    let image = Builder::exec().plan().unwrap();
    let code = 64 + 56;
    assert_eq!(
        image,
        ElfImage {
            role: Role::Program,
            kind: Kind::Exec,
            entry: BASE + code,
            phdr_vaddr: BASE + 64,
            phnum: 1,
            alignment: PAGE,
            span: BASE..BASE + PAGE,
            segments: vec![Segment {
                file: Some(FileMapping {
                    vaddr: BASE,
                    offset: 0,
                    len: PAGE
                }),
                clear: None,
                bss: None,
                prot: libc::PROT_READ | libc::PROT_EXEC,
                bss_prot: libc::PROT_READ | libc::PROT_WRITE | libc::PROT_EXEC,
            }],
            interp: None,
            notes: Vec::new(),
            exec_stack: false,
            bss_end: BASE + code + EXIT_42.len() as u64,
        }
    );
    assert_eq!(image.entry_at(0), Ok(BASE + code));
}

#[test]
fn plans_data_and_bss() {
    let image = Builder::pie()
        .load(RW, 0x3e10, 0x2e10, 0x300, 0x5000)
        .plan()
        .unwrap();
    let data = &image.segments[1];
    assert_eq!(
        data.file,
        Some(FileMapping {
            vaddr: 0x3000,
            offset: 0x2000,
            len: 0x2000
        })
    );
    assert_eq!(data.clear, Some(0x4110..0x5000));
    assert_eq!(data.bss, Some(0x5000..0x9000));
    assert_eq!(data.bss_prot, libc::PROT_READ | libc::PROT_WRITE);
    assert_eq!(image.kind, Kind::Dyn);
    assert_eq!(image.span, 0..0x9000);
    assert_eq!(image.bss_end, 0x8e10);
}

#[test]
fn clears_the_whole_page_and_only_where_it_may_write() {
    let small = Builder::exec()
        .load(RW, 0x50_0000, 0, 0x10, 0x20)
        .plan()
        .unwrap();
    assert_eq!(small.segments[1].clear, Some(0x50_0010..0x50_1000));
    assert_eq!(small.segments[1].bss, None);

    let read_only = Builder::exec()
        .load(PF_R, 0x50_0000, 0, 0x10, 0x2000)
        .plan()
        .unwrap();
    assert_eq!(read_only.segments[1].clear, None);
    assert_eq!(read_only.segments[1].bss, Some(0x50_1000..0x50_2000));

    let full_page = Builder::exec()
        .load(RW, 0x50_0000, 0, PAGE, 2 * PAGE)
        .plan()
        .unwrap();
    assert_eq!(full_page.segments[1].clear, None);
    assert_eq!(full_page.segments[1].bss, Some(0x50_1000..0x50_2000));
}

#[test]
fn bss_without_file_pages_starts_in_its_first_page() {
    // The file offset is not used, so it need not fit either.
    let image = Builder::exec()
        .load(RW, 0x50_0123, 1, 0, 0x1000)
        .plan()
        .unwrap();
    let bss = &image.segments[1];
    assert_eq!((&bss.file, &bss.clear), (&None, &None));
    assert_eq!(bss.bss, Some(0x50_0000..0x50_2000));

    let nothing = Builder::exec().load(RW, 0x50_0123, 0, 0, 0).plan().unwrap();
    assert_eq!(
        (&nothing.segments[1].file, &nothing.segments[1].bss),
        (&None, &None)
    );
}

#[test]
fn keeps_the_order_of_overlapping_segments() {
    let image = Builder::exec()
        .load(RW, BASE + 0x2000, 0, 0x3000, 0x3000)
        .load(RX, BASE + 0x1000, 0, 0x2000, 0x2000)
        .plan()
        .unwrap();
    let starts: Vec<u64> = image
        .segments
        .iter()
        .map(|s| s.file.unwrap().vaddr)
        .collect();
    assert_eq!(starts, [BASE, BASE + 0x2000, BASE + 0x1000]);
    assert_eq!(image.span, BASE..BASE + 0x5000);
}

#[test]
fn file_pages_may_lie_beyond_the_end_of_the_file() {
    let image = Builder::exec()
        .load(RW, 0x50_0000, 1 << 40, 100, 100)
        .plan()
        .unwrap();
    assert_eq!(
        image.segments[1].file,
        Some(FileMapping {
            vaddr: 0x50_0000,
            offset: 1 << 40,
            len: PAGE
        })
    );
}

#[test]
fn alignment_is_the_largest_power_of_two() {
    let aligned = |aligns: &[u64]| {
        let mut elf = Builder::pie();
        for align in aligns {
            elf = elf.phdr(ProgramHeader {
                p_align: *align,
                ..phdr(PT_LOAD, RW, 0, 0, 1, 1)
            });
        }
        elf.plan().unwrap().alignment
    };
    assert_eq!(aligned(&[]), PAGE);
    assert_eq!(aligned(&[0, 1, 16, 0x20_0001]), PAGE);
    assert_eq!(aligned(&[0x20_0000, 0x1_0000]), 0x20_0000);
    assert_eq!(aligned(&[1 << 63]), 1 << 63);
}

#[test]
fn program_headers_are_found_in_the_last_segment_that_holds_them() {
    let twice = Builder::exec().load(PF_R, 0x50_0000, 0, 0x1000, 0x1000);
    assert_eq!(twice.plan().unwrap().phdr_vaddr, 0x50_0040);
    // PT_PHDR has no say, as on Linux.
    let pt_phdr = Builder::exec().phdr(phdr(PT_PHDR, PF_R, 0x1234, 64, 112, 112));
    assert_eq!(pt_phdr.plan().unwrap().phdr_vaddr, BASE + 64);
    let nowhere = Builder::exec()
        .with(|elf| elf.text = false)
        .load(RX, BASE, 0x1000, 100, 100);
    assert_eq!(nowhere.plan().unwrap().phdr_vaddr, 0);
}

#[test]
fn stack_is_executable_only_if_the_last_gnu_stack_says_so() {
    let stack = |flags: &[u32]| {
        let add = |elf: Builder, flags: &u32| elf.phdr(phdr(PT_GNU_STACK, *flags, 0, 0, 0, 0));
        flags
            .iter()
            .fold(Builder::exec(), add)
            .plan()
            .unwrap()
            .exec_stack
    };
    assert!(!stack(&[]));
    assert!(!stack(&[RW]));
    assert!(stack(&[RW | PF_X]));
    assert!(!stack(&[RX, RW]));
    assert!(stack(&[RW, RX]));
}

#[test]
fn finds_the_interpreter_path() {
    // The ident makes a path: bytes 1 to 15 are "ELF", a few controls, NULs.
    let elf = Builder::exec().interp(1, 10).interp(0, 1);
    assert_eq!(
        elf.plan().unwrap().interp,
        Some(FileRange { offset: 1, len: 10 })
    );
    assert_eq!(
        ElfImage::interp_path(b"/lib/ld.so\0").unwrap(),
        "/lib/ld.so"
    );
    assert_eq!(ElfImage::interp_path(b"/a\0b\0").unwrap(), "/a");
    let flaw = |bytes: &[u8]| ElfImage::interp_path(bytes).unwrap_err().flaw;
    assert_eq!(flaw(b"/lib/ld.so"), Flaw::InterpNotTerminated);
    assert_eq!(flaw(b"/a\0b"), Flaw::InterpNotTerminated);
    assert_eq!(flaw(b""), Flaw::InterpNotTerminated);
    assert_eq!(flaw(b"\0\0"), Flaw::InterpEmpty);

    // An interpreter's own PT_INTERP is not looked at.
    let loader = plan_bytes(&Builder::pie().interp(0, 1).build(), Role::Interpreter).unwrap();
    assert_eq!(loader.interp, None);
}

#[test]
fn names_what_is_wrong_with_foreign_files() {
    assert_eq!(
        plan_bytes(b"", Role::Program).unwrap_err().flaw,
        Flaw::NotElf
    );
    assert_eq!(
        plan_bytes(b"\x7fEL", Role::Program).unwrap_err().flaw,
        Flaw::NotElf
    );
    let foreign = |class: u8, order: u8, machine: u16| {
        Builder::exec().with(|elf| {
            elf.ident[EI_CLASS] = class;
            elf.ident[EI_DATA] = order;
            elf.machine = machine;
        })
    };
    assert_eq!(foreign(1, 1, 3).flaw(), Flaw::Class32);
    assert_eq!(foreign(2, 2, 62 << 8).flaw(), Flaw::BigEndian);
    assert_eq!(foreign(2, 1, 183).flaw(), Flaw::Machine(183));
    assert_eq!(
        foreign(2, 1, 183).plan().unwrap_err().to_string(),
        "built for AARCH64 (machine 183), not for x86-64"
    );
    // Linux runs these.
    assert!(foreign(1, 2, 62).plan().is_ok());
    assert_eq!(Builder::new(1).flaw(), Flaw::Type(1));
    assert_eq!(
        Builder::new(4).plan().unwrap_err().to_string(),
        "ELF type 4 (CORE) is not an executable"
    );
}

#[test]
fn the_interpreter_has_error_numbers_of_its_own() {
    let error = |elf: &Builder| plan_bytes(&elf.build(), Role::Interpreter).unwrap_err();
    assert_eq!(
        error(&Builder::pie().with(|elf| elf.machine = 3)).errno(),
        libc::ELIBBAD
    );
    assert_eq!(
        error(&Builder::pie().with(|elf| elf.phnum = Some(9))).errno(),
        libc::ELIBBAD
    );
    assert_eq!(
        error(&Builder::pie().load(RW, 0, 0, 2, 1)).errno(),
        libc::ENOMEM
    );
    let wrong_type = error(&Builder::new(1));
    assert_eq!(
        (wrong_type.errno(), wrong_type.is_fatal()),
        (libc::ELIBBAD, true)
    );
    let short = plan_bytes(&Builder::pie().build()[..63], Role::Interpreter).unwrap_err();
    assert_eq!(short.errno(), libc::EIO);
    let text = |len| plan_bytes(&vec![b' '; len], Role::Interpreter).unwrap_err();
    assert_eq!(text(63).errno(), libc::EIO);
    assert_eq!(text(64).errno(), libc::ELIBBAD);
}

#[test]
fn refuses_a_file_cut_anywhere_in_its_headers() {
    let elf =
        Builder::exec()
            .load(RW, 0x50_0000, 0, 64, 64)
            .phdr(phdr(PT_GNU_STACK, RW, 0, 0, 0, 0));
    let file = elf.build();
    let headers = 64 + 3 * 56;
    for role in [Role::Program, Role::Interpreter] {
        for len in 0..headers {
            let error = plan_bytes(&file[..len], role).unwrap_err();
            let cut = match error.flaw {
                Flaw::NotElf => len < 4,
                Flaw::HeaderTruncated(at) => at == len as u64 && len < 64,
                // The count is there from byte 58 on, and the rest may be zero.
                Flaw::PhdrTruncated {
                    offset: 64,
                    file_len,
                } => file_len == len as u64,
                _ => false,
            };
            assert!(cut, "{len}: {error}");
        }
        assert!(plan_bytes(&file[..headers], role).is_ok());
    }
}

#[test]
fn refuses_a_short_table_of_program_headers() {
    let file = Builder::exec().load(RW, 0x50_0000, 0, 64, 64).build();
    let header = ElfHeader::parse(&file, file.len() as u64, Role::Program).unwrap();
    let table = &file[64..64 + 112];
    for len in 0..table.len() {
        let error = ElfImage::plan(&header, &table[..len]).unwrap_err();
        assert!(matches!(error.flaw, Flaw::PhdrTruncated { .. }), "{len}");
    }
    assert!(ElfImage::plan(&header, table).is_ok());
}

#[test]
fn an_entry_point_must_be_an_address() {
    let pie = Builder::pie().plan().unwrap();
    assert_eq!(
        pie.entry_at(0x5555_0000_0000),
        Ok(0x5555_0000_0000 + pie.entry)
    );
    assert_eq!(
        pie.entry_at(TASK_SIZE).unwrap_err().flaw,
        Flaw::Entry(TASK_SIZE + pie.entry)
    );
    // Behind an interpreter nobody goes there.
    let unused = Builder::exec()
        .with(|elf| elf.entry = Some(u64::MAX))
        .interp(1, 10);
    assert_eq!(unused.plan().unwrap().entry, u64::MAX);
}

//! Any bytes at all: no panic, and no plan that cannot be mapped.

use proptest::prelude::*;

use super::builder::*;
use super::*;

/// What the caller relies on when it maps a plan.
fn check_invariants(image: &ElfImage, file_len: u64) {
    assert!(image.alignment.is_power_of_two() && image.alignment >= PAGE);
    assert!((1..=1170).contains(&image.phnum));
    assert!(!image.segments.is_empty() && image.segments.len() <= usize::from(image.phnum));
    assert!(image.span.start.is_multiple_of(PAGE) && image.span.end.is_multiple_of(PAGE));
    assert!(image.span.start <= image.span.end && image.span.end <= TASK_SIZE);
    assert!(image.kind == Kind::Exec || !image.span.is_empty());
    assert!((image.span.start..=image.span.end).contains(&image.bss_end));
    let in_span = |range: &Range<u64>| {
        assert!(!range.is_empty());
        assert!(image.span.start <= range.start && range.end <= image.span.end);
    };
    for segment in &image.segments {
        let rwx = libc::PROT_READ | libc::PROT_WRITE | libc::PROT_EXEC;
        assert_eq!((segment.prot | segment.bss_prot) & !rwx, 0);
        let mut next = None;
        if let Some(file) = segment.file {
            in_span(&(file.vaddr..file.vaddr + file.len));
            assert!(
                [file.vaddr, file.offset, file.len]
                    .iter()
                    .all(|n| n.is_multiple_of(PAGE))
            );
            assert!(file.offset + file.len <= i64::MAX as u64);
            next = Some(file.vaddr + file.len);
        }
        if let Some(clear) = &segment.clear {
            in_span(clear);
            assert_eq!(Some(clear.end), next);
            assert!(clear.end - clear.start < PAGE);
            assert_ne!(segment.prot & libc::PROT_WRITE, 0);
        }
        if let Some(bss) = &segment.bss {
            in_span(bss);
            assert!(bss.start.is_multiple_of(PAGE) && bss.end.is_multiple_of(PAGE));
            assert!(next.is_none_or(|next| next == bss.start));
        }
    }
    if let Some(interp) = image.interp {
        assert_eq!(image.role, Role::Program);
        assert!((2..=4096).contains(&interp.len));
        assert!(interp.offset + interp.len <= file_len);
    }
}

fn check_any(file: &[u8]) {
    for role in [Role::Program, Role::Interpreter] {
        match plan_bytes(file, role) {
            Ok(image) => check_invariants(&image, file.len() as u64),
            Err(error) => {
                assert!(error.errno() > 0);
                assert!(!error.to_string().is_empty());
            }
        }
    }
}

/// Numbers near the edges that the checks are about.
fn edge() -> impl Strategy<Value = u64> {
    let points = vec![0, PAGE, BASE, TASK_SIZE, 1 << 63, i64::MAX as u64, u64::MAX];
    (prop::sample::select(points), -200i64..200).prop_map(|(at, by)| at.wrapping_add_signed(by))
}

fn any_phdr() -> impl Strategy<Value = ProgramHeader> {
    let types = prop::sample::select(vec![PT_LOAD, PT_LOAD, PT_INTERP, PT_GNU_STACK, PT_PHDR]);
    (types, 0u32..8, [edge(), edge(), edge(), edge(), edge()]).prop_map(
        |(p_type, p_flags, [vaddr, offset, filesz, memsz, p_align])| ProgramHeader {
            p_align,
            ..phdr(p_type, p_flags, vaddr, offset, filesz, memsz)
        },
    )
}

proptest! {
    #[test]
    fn survives_random_bytes(mut file in prop::collection::vec(any::<u8>(), 0..400), magic: bool) {
        if magic && file.len() >= 4 {
            file[..4].copy_from_slice(ELFMAG);
        }
        check_any(&file);
    }

    #[test]
    fn survives_mutations(changes in prop::collection::vec((0usize..232, any::<u8>()), 1..8)) {
        let mut file = Builder::pie()
            .load(RW, 0x3e10, 0x2e10, 0x300, 0x5000)
            .interp(1, 10)
            .build();
        for (at, byte) in changes {
            file[at] = byte;
        }
        check_any(&file);
    }

    #[test]
    fn survives_numbers_at_the_edges(
        phdrs in prop::collection::vec(any_phdr(), 1..4),
        kind in ET_EXEC..=ET_DYN,
        entry in edge(),
        phoff in prop_oneof![Just(64), edge()],
    ) {
        check_any(&Builder::new(kind).with(|elf| {
            elf.phdrs = phdrs;
            elf.entry = Some(entry);
            elf.phoff = phoff;
        }).build());
    }
}

use proptest::prelude::*;

use super::*;

mod native;
mod restore;

fn put<const N: usize>(bytes: &mut [u8], offset: usize, value: [u8; N]) {
    bytes[offset..offset + N].copy_from_slice(&value);
}

const XSTATE: XState = XState {
    features: native::FEATURES,
    size: native::XSTATE_SIZE,
};

/// The whole of a frame as the kernel wrote it, from `rsp` on.
fn native_frame(case: &native::Case) -> Vec<u8> {
    let mut frame = native::bytes(native::FRAME, SIZE);
    put(&mut frame, native::SS_SP, case.stack.0.to_ne_bytes());
    put(&mut frame, native::SS_FLAGS, case.stack.1.to_ne_bytes());
    put(&mut frame, native::SS_SIZE, case.stack.2.to_ne_bytes());
    put(&mut frame, native::RSP, case.interrupted_rsp.to_ne_bytes());
    put(&mut frame, native::FPSTATE, case.fpstate.to_ne_bytes());
    frame.resize((case.fpstate - case.rsp) as usize, 0);
    frame.extend(native::bytes(native::XSTATE, native::XSTATE_SIZE));
    frame.extend(native::MAGIC2.to_ne_bytes());
    frame
}

/// The vCPU's image at the time: KVM's has no magic.
fn native_image() -> Vec<u8> {
    let mut image = native::bytes(native::XSTATE, 4096);
    image[464..512].fill(0);
    image
}

fn interrupted(rsp: u64) -> kvm_regs {
    kvm_regs {
        rax: 0x1001,
        rbx: 0x1002,
        rcx: 0x1003,
        rdx: 0x1004,
        rsi: 0x1005,
        rdi: 0x1006,
        rbp: 0x1007,
        r8: 0x1008,
        r9: 0x1009,
        r10: 0x100a,
        r11: 0x100b,
        r12: 0x100c,
        r13: 0x100d,
        r14: 0x100e,
        r15: 0x100f,
        rsp,
        rip: native::FRAME.iter().find(|word| word.0 == 176).unwrap().1,
        rflags: 0x1_0613,
    }
}

/// What the frames of the kernel were made of.
struct Origin {
    registers: kvm_regs,
    image: Vec<u8>,
    siginfo: SigInfo,
    stack: AltStack,
    use_altstack: bool,
    action: Action,
}

impl Origin {
    fn new(case: &native::Case) -> Origin {
        let (sp, flags, size) = case.stack;
        Origin {
            registers: interrupted(case.interrupted_rsp),
            image: native_image(),
            siginfo: fault_info(libc::SIGSEGV, 1, 0x1238),
            stack: AltStack {
                sp,
                flags,
                padding: 0,
                size,
            },
            use_altstack: case.use_altstack,
            action: Action {
                handler: 0x40_13af,
                flags: SA_RESTORER,
                restorer: native::RESTORER,
            },
        }
    }

    fn input(&self) -> Input<'_> {
        Input {
            registers: &self.registers,
            xsave: &self.image,
            xstate: XSTATE,
            stack: self.stack,
            use_altstack: self.use_altstack,
            mask: native::MASK,
            siginfo: &self.siginfo,
            action: self.action,
            fault: Fault {
                trap: 14,
                error: 6,
                address: 0x1238,
            },
        }
    }
}

fn plain() -> Origin {
    Origin::new(&native::CASES[0])
}

#[test]
fn frames_are_what_linux_writes() {
    for case in &native::CASES {
        let frame = build(&Origin::new(case).input()).unwrap();
        assert_eq!(frame.address, case.rsp, "{}", case.name);
        assert_eq!(frame.fpstate, case.fpstate, "{}", case.name);
        assert!(frame.bytes == native_frame(case), "{}", case.name);
    }
}

#[test]
fn handlers_start_as_linux_starts_them() {
    for case in &native::CASES {
        let frame = build(&Origin::new(case).input()).unwrap();
        let wanted = kvm_regs {
            rip: 0x40_13af,
            rsp: case.rsp,
            rdi: 11,
            rsi: case.rsp + 312,
            rdx: case.rsp + 8,
            rax: 0,
            rflags: native::HANDLER_FLAGS,
            ..interrupted(0)
        };
        assert_eq!(frame.registers, wanted, "{}", case.name);
    }
}

#[test]
fn frames_of_linux_can_be_read() {
    for case in &native::CASES {
        let frame = native_frame(case);
        let restored = parse(frame.first_chunk().unwrap(), 0x202).unwrap();
        let (sp, flags, size) = case.stack;
        assert_eq!(
            restored.registers,
            interrupted(case.interrupted_rsp),
            "{}",
            case.name
        );
        assert_eq!(restored.mask, native::MASK);
        assert_eq!(
            restored.stack,
            AltStack {
                sp,
                flags,
                padding: 0,
                size
            }
        );
        assert_eq!(restored.state, Some(case.fpstate));
    }
}

#[test]
fn the_alternate_stack_is_entered_where_linux_enters_it() {
    for case in native::CASES.iter().filter(|case| case.stack.2 != 0) {
        let stack = Origin::new(case).stack;
        assert_eq!(
            stack.can_enter(case.interrupted_rsp),
            case.use_altstack,
            "{}",
            case.name
        );
    }
    assert!(!AltStack::default().can_enter(0x1000));
}

#[test]
fn an_alternate_stack_ends_where_linux_says() {
    for (sp, size) in native::SMALLEST {
        let mut origin = plain();
        origin.use_altstack = true;
        origin.stack = AltStack {
            sp,
            size,
            ..AltStack::default()
        };
        assert!(build(&origin.input()).is_ok(), "{size} bytes at {sp:#x}");
        origin.stack.size -= 1;
        assert_eq!(build(&origin.input()), Err(FrameError::AltStackOverflow));
    }
}

#[test]
fn a_handler_on_the_alternate_stack_may_not_leave_it() {
    let mut origin = Origin::new(&native::CASES[2]);
    origin.registers.rsp = origin.stack.sp + 1024;
    assert_eq!(build(&origin.input()), Err(FrameError::AltStackOverflow));
    // One that is not known to be in use is no limit.
    origin.stack.flags = SS_AUTODISARM;
    assert!(build(&origin.input()).is_ok());
}

#[test]
fn the_alternate_stack_tells_its_status() {
    let stack = AltStack {
        sp: 0x1000,
        size: 0x2000,
        ..AltStack::default()
    };
    assert_eq!(AltStack::default().status(0x1800), libc::SS_DISABLE);
    assert_eq!(stack.status(0x1000), 0);
    assert_eq!(stack.status(0x1001), libc::SS_ONSTACK);
    assert_eq!(stack.status(0x3000), libc::SS_ONSTACK);
    assert_eq!(stack.status(0x3001), 0);
    assert_eq!(stack.after_entry(), stack);
    let disarming = AltStack {
        flags: SS_AUTODISARM,
        ..stack
    };
    assert_eq!(disarming.status(0x1800), SS_AUTODISARM);
    assert_eq!(disarming.after_entry().status(0x1800), libc::SS_DISABLE);
}

#[test]
fn there_is_no_frame_without_a_restorer() {
    let mut origin = plain();
    origin.action.flags &= !SA_RESTORER;
    assert_eq!(build(&origin.input()), Err(FrameError::NoRestorer));
}

#[test]
fn a_stack_at_either_end_is_refused() {
    let mut origin = plain();
    for rsp in [0, 127, 128, 2000, 3000] {
        origin.registers.rsp = rsp;
        assert_eq!(build(&origin.input()), Err(FrameError::Wrap), "rsp {rsp}");
    }
    origin.use_altstack = true;
    origin.stack = AltStack {
        sp: u64::MAX - 5,
        size: 4096,
        ..AltStack::default()
    };
    assert_eq!(build(&origin.input()), Err(FrameError::Wrap));
}

#[test]
fn an_image_shorter_than_its_features_is_refused() {
    let mut origin = plain();
    origin.image.truncate(native::XSTATE_SIZE - 1);
    assert_eq!(build(&origin.input()), Err(FrameError::XStateSize));
}

#[test]
fn without_xsave_the_state_is_what_fxsave_writes() {
    let origin = plain();
    let xstate = XState {
        features: 0,
        size: 0,
    };
    let frame = build(&Input {
        xstate,
        ..origin.input()
    })
    .unwrap();
    let state = &frame.bytes[(frame.fpstate - frame.address) as usize..];
    assert_eq!(state.len(), 512);
    assert_eq!(state[..464], origin.image[..464]);
    assert_eq!(frame.bytes[8], 6, "no UC_FP_XSTATE");
}

#[test]
fn a_handler_may_change_some_flags() {
    let frame = |rflags: u64| {
        let mut frame = native_frame(&native::CASES[0]);
        put(&mut frame, 184, rflags.to_ne_bytes());
        frame
    };
    let flags = |wanted: u64, current: u64| {
        parse(frame(wanted).first_chunk().unwrap(), current)
            .unwrap()
            .registers
            .rflags
    };
    // IF, IOPL, NT, ID and above are not the frame's.
    assert_eq!(flags(u64::MAX, 0x202), 0x5_0fd7);
    assert_eq!(flags(0, 0x5_0fd7), 0x202);
    assert_eq!(flags(0, 0x20_0202), 0x20_0202);
    assert_eq!(flags(0x20_0000, 0x202), 0x202);
}

#[test]
fn no_frame_blocks_kill_and_stop() {
    let mut frame = native_frame(&native::CASES[0]);
    put(&mut frame, 304, u64::MAX.to_ne_bytes());
    let restored = parse(frame.first_chunk().unwrap(), 0x202).unwrap();
    assert_eq!(restored.mask, 0xffff_ffff_fffb_feff);
}

#[test]
fn selectors_are_those_of_64_bit_programs() {
    const STRICT: u64 = 7;
    const LENIENT: u64 = 3;
    let try_one = |flags: u64, cs: u16, ss: u16| {
        let mut frame = native_frame(&native::CASES[0]);
        put(&mut frame, 8, flags.to_ne_bytes());
        put(&mut frame, 192, cs.to_ne_bytes());
        put(&mut frame, 198, ss.to_ne_bytes());
        parse(frame.first_chunk().unwrap(), 0x202).map(|_| ())
    };
    // As the kernel does, seen from a program.
    assert_eq!(try_one(STRICT, 0x30, 0x28), Ok(()));
    assert_eq!(try_one(LENIENT, 0x33, 0), Ok(()));
    assert_eq!(try_one(LENIENT, 0x33, 0x33), Ok(()));
    assert_eq!(try_one(STRICT, 0x33, 0), Err(FrameError::Selectors));
    assert_eq!(try_one(STRICT, 0, 0x2b), Err(FrameError::Selectors));
    // 32-bit code and the kernel's own.
    assert_eq!(try_one(STRICT, 0x23, 0x2b), Err(FrameError::Selectors));
    assert_eq!(try_one(STRICT, 0x10, 0x18), Err(FrameError::Selectors));
}

#[test]
fn an_instruction_pointer_is_canonical() {
    let try_one = |rip: u64| {
        let mut frame = native_frame(&native::CASES[0]);
        put(&mut frame, 176, rip.to_ne_bytes());
        parse(frame.first_chunk().unwrap(), 0x202).map(|restored| restored.registers.rip)
    };
    for rip in [0, 0x7fff_ffff_ffff, 0xffff_8000_0000_0000, u64::MAX] {
        assert_eq!(try_one(rip), Ok(rip));
    }
    for rip in [0x8000_0000_0000, 0xffff_7fff_ffff_ffff, 1 << 63] {
        assert_eq!(try_one(rip), Err(FrameError::InstructionPointer));
    }
}

#[test]
fn the_last_exception_is_kept() {
    let mut fault = Fault::default();
    fault.note(Exception {
        vector: 14,
        error: 6,
        address: 0x1238,
    });
    assert_eq!(
        fault,
        Fault {
            trap: 14,
            error: 6,
            address: 0x1238
        }
    );
    fault.note(Exception {
        vector: 13,
        error: 0x182,
        address: 0,
    });
    assert_eq!(
        fault,
        Fault {
            trap: 13,
            error: 0x182,
            address: 0x1238
        }
    );
}

/// A load from the kernel's half shows as a violation, not as a hole.
#[test]
fn the_other_half_looks_present() {
    for (address, error) in [
        (0xffff_ffff_8100_0000, 5),
        (0x7fff_ffff_f000, 5),
        (0x7fff_ffff_efff, 4),
    ] {
        let mut fault = Fault::default();
        fault.note(Exception {
            vector: 14,
            error: 4,
            address,
        });
        assert_eq!(
            fault,
            Fault {
                trap: 14,
                error,
                address
            }
        );
    }
}

prop_compose! {
    fn any_registers()(r in prop::array::uniform18(any::<u64>())) -> kvm_regs {
        let [rax, rbx, rcx, rdx, rsi, rdi, rsp, rbp, r8, r9, r10, r11, r12, r13, r14, r15, rip, rflags] = r;
        kvm_regs {
            rax, rbx, rcx, rdx, rsi, rdi, rsp, rbp,
            r8, r9, r10, r11, r12, r13, r14, r15, rip, rflags,
        }
    }
}

proptest! {
    #[test]
    fn what_was_interrupted_comes_back(
        registers in any_registers(),
        (sp, size) in (0..1_u64 << 47, 0..1_u64 << 20),
        use_altstack: bool,
        mask: u64,
    ) {
        // As they are in ring 3.
        let rip = registers.rip >> 17;
        let rflags = registers.rflags & (RESTORED_FLAGS | 1 << 21 | 1 << 9) | FIXED;
        let registers = kvm_regs { rip, rflags, ..registers };
        let stack = AltStack { sp, size, ..AltStack::default() };
        let origin = Origin { registers, stack, use_altstack, ..plain() };
        let Ok(frame) = build(&Input { mask, ..origin.input() }) else { return Ok(()) };

        prop_assert_eq!((frame.address + 8) % 16, 0);
        prop_assert_eq!(frame.fpstate % 64, 0);
        let end = frame.address + frame.bytes.len() as u64;
        if use_altstack {
            prop_assert!(frame.address > sp && end <= sp + size);
        } else {
            prop_assert!(end <= registers.rsp - 128);
        }

        let restored = parse(frame.bytes.first_chunk().unwrap(), rflags).unwrap();
        prop_assert_eq!(restored.registers, registers);
        prop_assert_eq!(restored.mask, mask & !UNBLOCKABLE);
        prop_assert_eq!(restored.stack, stack);
        prop_assert_eq!(restored.state, Some(frame.fpstate));

        let bytes = &frame.bytes[(frame.fpstate - frame.address) as usize..];
        let saved = Saved { address: frame.fpstate, bytes };
        let image = restore_xstate(Some(saved), &XSTATE, &initial_image()).unwrap();
        prop_assert!(image == origin.image);
    }

    /// Frames and states are the payload's to write.
    #[test]
    fn any_frame_is_read_or_refused(
        bytes in prop::collection::vec(any::<u8>(), SIZE),
        selectors: bool,
    ) {
        let mut bytes = bytes;
        if selectors {
            put(&mut bytes, 192, 0x2b_0000_0000_0033_u64.to_ne_bytes());
        }
        if let Ok(restored) = parse(bytes.first_chunk().unwrap(), 0x202) {
            prop_assert_eq!(restored.registers.rflags & !RESTORED_FLAGS, 0x202);
            prop_assert_eq!(restored.mask & UNBLOCKABLE, 0);
        }
    }

    #[test]
    fn any_state_is_read_or_refused(
        bytes in prop::collection::vec(any::<u8>(), 0..2500),
        words in prop::collection::vec((0_usize..76, any::<u64>()), 0..8),
        sizes in (0_u32..3000, 0_u32..3000),
        features: u64,
    ) {
        let mut bytes = bytes;
        if bytes.len() >= 640 {
            bytes[..640].fill(0);
            put(&mut bytes, 464, 0x4650_5853_u32.to_ne_bytes());
            put(&mut bytes, 468, sizes.0.to_ne_bytes());
            put(&mut bytes, 480, sizes.1.to_ne_bytes());
            for (word, value) in words {
                put(&mut bytes, word * 8, value.to_ne_bytes());
            }
            let magic2 = sizes.1 as usize;
            if magic2 + 4 <= bytes.len() {
                put(&mut bytes, magic2, native::MAGIC2.to_ne_bytes());
            }
        }
        let xstate = XState { features, ..XSTATE };
        let saved = Saved { address: 0, bytes: &bytes };
        if let Ok(image) = restore_xstate(Some(saved), &xstate, &native_image()) {
            prop_assert_eq!(image.len(), 4096);
            let word = |at: usize| u64::from_ne_bytes(*image[at..].first_chunk().unwrap());
            prop_assert_eq!(word(24) as u32 & !0x2_ffff, 0);
            prop_assert_eq!(word(512) & !(features | 3), 0);
            prop_assert!(image[520..576].iter().all(|byte| *byte == 0));
        }
    }
}

/// The image of a vCPU that has not run.
fn initial_image() -> Vec<u8> {
    initial_xstate(&XSTATE, &native_image()).unwrap()
}

use proptest::prelude::*;

use super::*;

/// A program that always returns this.
fn constant(value: u32) -> Program {
    let program = [Instruction {
        code: (libc::BPF_RET | libc::BPF_K) as u16,
        k: value,
        ..Instruction::default()
    }];
    Program::check(&program).unwrap()
}

fn mode(values: &[u32]) -> Mode {
    values.iter().fold(Mode::Disabled, |mode, value| {
        mode.with(constant(*value)).unwrap()
    })
}

fn judge(mode: Mode, number: i64) -> Verdict {
    let seccomp = Seccomp::default();
    seccomp.set(mode);
    seccomp.judge(&Data::new(number as u32, 0, [0; 6]))
}

const ACTIONS: [u32; 8] = [
    libc::SECCOMP_RET_KILL_PROCESS,
    libc::SECCOMP_RET_KILL_THREAD,
    libc::SECCOMP_RET_TRAP,
    libc::SECCOMP_RET_ERRNO,
    libc::SECCOMP_RET_USER_NOTIF,
    libc::SECCOMP_RET_TRACE,
    libc::SECCOMP_RET_LOG,
    libc::SECCOMP_RET_ALLOW,
];

proptest! {
    /// The order is that of the list above.
    #[test]
    fn the_strictest_is_heard_and_the_newest_of_equals(
        values in prop::collection::vec((0usize..8, 1u16..0x1000), 1..12),
    ) {
        let returned: Vec<u32> =
            values.iter().map(|(at, data)| ACTIONS[*at] | u32::from(*data)).collect();
        let mut strictest = values[0];
        for value in &values[1..] {
            if value.0 <= strictest.0 {
                strictest = *value;
            }
        }
        let expected = verdict(ACTIONS[strictest.0] | u32::from(strictest.1));
        prop_assert_eq!(judge(mode(&returned), 0), expected);
    }
}

#[test]
fn values_are_read_as_linux_does() {
    assert_eq!(verdict(libc::SECCOMP_RET_ERRNO), Verdict::Error(0));
    assert_eq!(
        verdict(libc::SECCOMP_RET_ERRNO | 0xffff),
        Verdict::Error(4095)
    );
    assert_eq!(
        verdict(libc::SECCOMP_RET_TRAP | 0xffff),
        Verdict::Trap(0xffff)
    );
    assert_eq!(verdict(libc::SECCOMP_RET_LOG | 5), Verdict::Allow);
    assert_eq!(verdict(libc::SECCOMP_RET_TRACE | 5), Verdict::Error(38));
    assert_eq!(verdict(0), Verdict::KillThread(libc::SIGSYS));
    assert_eq!(verdict(0x0001_0000), Verdict::KillProcess);
    assert_eq!(verdict(0xfff0_0000), Verdict::KillProcess);
}

#[test]
fn strict_mode_leaves_four_calls() {
    for number in [0, 1, 15, 60] {
        assert_eq!(judge(Mode::Strict, number), Verdict::Allow);
    }
    for number in [2, 39, 231, -1, 0x4000_0000] {
        assert_eq!(
            judge(Mode::Strict, number),
            Verdict::KillThread(libc::SIGKILL)
        );
    }
    assert!(Mode::Strict.with(constant(0)).is_err());
}

#[test]
fn a_thread_follows_only_where_it_has_nothing_of_its_own() {
    let old = mode(&[1, 2]);
    let new = old.with(constant(3)).unwrap();
    let other = mode(&[1, 2]);
    let can = |from: &Mode, to: &Mode| {
        let seccomp = Seccomp::default();
        seccomp.set(from.clone());
        seccomp.may_follow(to)
    };
    for mode in [&Mode::Disabled, &old, &new, &other] {
        assert!(can(&Mode::Disabled, mode));
        assert!(can(mode, mode));
        assert!(!can(&Mode::Strict, mode));
    }
    assert!(can(&old, &new));
    assert!(!can(&new, &old));
    assert!(!can(&other, &new), "the same programs, but installed apart");
    assert!(!can(&old, &Mode::Disabled));
}

#[test]
fn programs_have_a_limit_together() {
    let allow = libc::SECCOMP_RET_ALLOW;
    let mut mode = Mode::Disabled;
    let mut count = 0;
    while let Ok(more) = mode.with(constant(allow)) {
        mode = more;
        count += 1;
    }
    // Five instructions each, and four for each but the newest.
    assert_eq!(count, (32_768 + 4) / 9);
    assert_eq!(mode.filters(), count);
    assert_eq!(mode.with(constant(allow)).unwrap_err(), Errno::ENOMEM);
    assert_eq!(judge(mode, 0), Verdict::Allow);
}

#[test]
fn a_mode_survives_a_handover() {
    let before = mode(&[libc::SECCOMP_RET_ALLOW, libc::SECCOMP_RET_ERRNO | 7]);
    let bytes = postcard::to_allocvec(&before).unwrap();
    let after: Mode = postcard::from_bytes(&bytes).unwrap();
    assert_eq!(after.filters(), 2);
    assert_eq!(judge(after, 5), Verdict::Error(7));
}

use std::fs::{self, File};
use std::os::unix::fs::FileExt;

use proptest::prelude::*;

use super::*;

const TOP: u64 = 0x7fff_ffff_f000;
const RANDOM: [u8; 16] = *b"0123456789abcdef";

/// What a program finds when it walks its stack from `sp`, as `_start` and
/// `getauxval` do: by pointers alone.
struct Found {
    argv: Vec<OsString>,
    envp: Vec<OsString>,
    auxv: Vec<(u64, u64)>,
}

impl StackImage {
    fn at(&self, address: u64) -> &[u8] {
        &self.bytes[(address - self.sp) as usize..]
    }

    fn word(&self, address: u64) -> u64 {
        u64::from_le_bytes(self.at(address)[..8].try_into().unwrap())
    }

    fn string(&self, address: u64) -> OsString {
        let bytes = self.at(address).split(|byte| *byte == 0).next().unwrap();
        OsStr::from_bytes(bytes).to_owned()
    }

    fn strings(&self, at: &mut u64) -> Vec<OsString> {
        let mut strings = Vec::new();
        loop {
            let pointer = self.word(*at);
            *at += 8;
            if pointer == 0 {
                return strings;
            }
            strings.push(self.string(pointer));
        }
    }

    fn walk(&self) -> Found {
        let mut at = self.sp + 8;
        let argv = self.strings(&mut at);
        assert_eq!(self.word(self.sp), argv.len() as u64);
        let envp = self.strings(&mut at);
        assert_eq!(self.auxv.start, at);
        let mut auxv = Vec::new();
        loop {
            let entry = (self.word(at), self.word(at + 8));
            at += 16;
            if entry.0 == libc::AT_NULL {
                break;
            }
            auxv.push(entry);
        }
        assert_eq!(self.auxv.end, at);
        Found { argv, envp, auxv }
    }
}

fn strings(strings: &[&str]) -> Vec<OsString> {
    strings.iter().map(OsString::from).collect()
}

fn content<'a>(argv: &'a [OsString], envp: &'a [OsString]) -> StackContent<'a> {
    StackContent {
        argv,
        envp,
        execfn: OsStr::new("/bin/prog"),
        auxv: &[
            (libc::AT_PAGESZ, AuxValue::Word(4096)),
            (libc::AT_RANDOM, AuxValue::Random),
            (libc::AT_EXECFN, AuxValue::ExecFn),
            (libc::AT_PLATFORM, AuxValue::Platform),
        ],
        random: RANDOM,
        shuffle: 0,
        limit: string_limit(8 << 20),
        room: string_room(8 << 20),
    }
}

#[test]
fn lays_out_what_linux_does() {
    let argv = strings(&["prog", "-x"]);
    let envp = strings(&["A=1", "BC=23"]);
    let stack = build(&content(&argv, &envp), TOP).unwrap();

    assert_eq!(stack.sp % 16, 0);
    assert_eq!(stack.sp + stack.bytes.len() as u64, TOP);
    assert!(
        stack
            .bytes
            .ends_with(b"prog\0-x\0A=1\0BC=23\0/bin/prog\0\0\0\0\0\0\0\0\0")
    );
    let execfn = TOP - 8 - 10;
    assert_eq!((stack.env_end, stack.env_start), (execfn, execfn - 10));
    assert_eq!((stack.arg_end, stack.arg_start), (execfn - 10, execfn - 18));

    let found = stack.walk();
    assert_eq!((found.argv, found.envp), (argv, envp));
    let platform = (stack.arg_start & !15) - 7;
    let random = platform - 16;
    assert_eq!(
        found.auxv,
        [
            (libc::AT_PAGESZ, 4096),
            (libc::AT_RANDOM, random),
            (libc::AT_EXECFN, execfn),
            (libc::AT_PLATFORM, platform),
        ]
    );
    assert_eq!(stack.string(execfn), "/bin/prog");
    assert_eq!(stack.string(platform), "x86_64");
    assert_eq!(stack.at(random)[..16], RANDOM);
    // argc, 3 + 3 pointers and 5 pairs.
    assert_eq!(stack.sp, (random - 17 * 8) & !15);
}

#[test]
fn a_program_always_has_a_name() {
    let stack = build(&content(&[], &[]), TOP).unwrap();
    assert_eq!(stack.walk().argv, strings(&[""]));
    assert_eq!(stack.arg_end - stack.arg_start, 1);
    assert_eq!(stack.env_start, stack.env_end);
}

#[test]
fn shuffle_leaves_the_strings_in_place() {
    let argv = strings(&["a"]);
    let still = build(&content(&argv, &[]), TOP).unwrap();
    let moved = |shuffle| {
        build(
            &StackContent {
                shuffle,
                ..content(&argv, &[])
            },
            TOP,
        )
        .unwrap()
    };
    assert_eq!(moved(SHUFFLE_BOUND), still);
    let far = moved(SHUFFLE_BOUND - 1);
    assert_eq!(far.arg_start, still.arg_start);
    assert!((8176..=8192).contains(&(still.sp - far.sp)));
    assert_eq!(far.walk().argv, argv);
}

#[test]
fn limits_each_string() {
    let arg = |len| [OsString::from("a".repeat(len))];
    let fits = arg(MAX_STRING - 1);
    assert_eq!(build(&content(&fits, &[]), TOP).unwrap().walk().argv, fits);
    let long = arg(MAX_STRING);
    let too_long = Err(StackError::StringTooLong(MAX_STRING));
    assert_eq!(build(&content(&long, &[]), TOP), too_long);
    assert_eq!(build(&content(&[], &long), TOP), too_long);
    assert_eq!(
        build(
            &StackContent {
                execfn: &long[0],
                ..content(&[], &[])
            },
            TOP
        ),
        too_long
    );
    assert_eq!(StackError::StringTooLong(MAX_STRING).errno(), libc::E2BIG);
}

#[test]
fn limits_strings_and_pointers_together() {
    let argv = strings(&["prog", "-x"]);
    let envp = strings(&["A=1"]);
    // Three pointers, strings of 5, 3 and 4 bytes, and "/bin/prog\0".
    let needed = 3 * 8 + 5 + 3 + 4 + 10;
    let with = |limit| {
        build(
            &StackContent {
                limit,
                ..content(&argv, &envp)
            },
            TOP,
        )
    };
    assert!(with(needed).is_ok());
    assert_eq!(with(needed - 1), Err(StackError::TooBig(needed - 1)));
    assert_eq!(with(24), Err(StackError::TooBig(24)));
    assert_eq!(with(0), Err(StackError::TooBig(0)));
    assert_eq!(StackError::TooBig(0).errno(), libc::E2BIG);
}

#[test]
fn the_limit_follows_the_stack_limit() {
    assert_eq!(string_limit(8 << 20), 2 << 20);
    assert_eq!(string_limit(0), 131_072);
    assert_eq!(string_limit(64 << 20), 6 << 20);
    assert_eq!(string_limit(libc::RLIM_INFINITY), 6 << 20);
}

#[test]
fn strings_fit_into_the_stack_limit() {
    assert_eq!(string_room(0), 4096 - 8, "the first page is free");
    assert_eq!(string_room(8192), 8192 - 8);
    assert_eq!(string_room(9000), 8192 - 8, "whole pages only");
    let long = [OsString::from("x".repeat(8000))];
    let with = |room| {
        build(
            &StackContent {
                room,
                ..content(&long, &[])
            },
            TOP,
        )
    };
    assert!(with(string_room(12 << 10)).is_ok());
    assert_eq!(with(4088), Err(StackError::TooBig(4088)));
}

#[test]
fn the_stack_begins_as_large_as_its_limit_allows() {
    let long = [OsString::from("x".repeat(6000))];
    let stack = build(&content(&long, &[]), TOP).unwrap();
    assert_eq!(stack.arg_start & !4095, TOP - 8192);
    let whole = TOP - 8192 - (128 << 10);
    assert_eq!(stack.bottom(TOP, 8 << 20), Ok(whole));
    assert_eq!(stack.bottom(TOP, libc::RLIM_INFINITY), Ok(whole));
    assert_eq!(stack.bottom(TOP, 64 << 10), Ok(TOP - (64 << 10)));
    assert_eq!(stack.bottom(TOP, 8192 + 4095), Ok(TOP - 8192));
    // Not even what is there already: no more is asked.
    assert_eq!(stack.bottom(TOP, 4096), Ok(TOP - 8192));
    let shuffled = StackContent {
        shuffle: 4096,
        ..content(&long, &[])
    };
    let stack = build(&shuffled, TOP).unwrap();
    assert_eq!(stack.bottom(TOP, 12 << 10), Ok(TOP - (12 << 10)));
    assert_eq!(stack.bottom(TOP, 8192), Err(StackError::LimitTooLow(8192)));
}

#[test]
fn refuses_what_would_not_read_back() {
    let nul = [OsString::from("a\0b")];
    assert_eq!(build(&content(&nul, &[]), TOP), Err(StackError::Nul));
    assert_eq!(build(&content(&[], &nul), TOP), Err(StackError::Nul));
    for top in [0, 7, 16, 100] {
        assert_eq!(build(&content(&[], &[]), top), Err(StackError::NoRoom(top)));
    }
}

/// This test's own stack, as the host's kernel has built it, comes out again
/// byte for byte.
#[test]
fn linux_agrees() {
    let stat = fs::read_to_string("/proc/self/stat").unwrap();
    let (_, fields) = stat.rsplit_once(')').unwrap();
    // Numbered as in proc_pid_stat(5); the third is the first here.
    let fields: Vec<&str> = fields.split_whitespace().collect();
    let field = |number: usize| fields[number - 3].parse::<u64>().unwrap();
    let (sp, arg_start, arg_end) = (field(28), field(48), field(49));
    let (env_start, env_end) = (field(50), field(51));

    let memory = File::open("/proc/self/mem").unwrap();
    let read = |start: u64, end: u64| {
        let mut bytes = vec![0; (end - start) as usize];
        memory.read_exact_at(&mut bytes, start).unwrap();
        bytes
    };
    let split = |bytes: Vec<u8>| -> Vec<OsString> {
        let strings = bytes.split_inclusive(|byte| *byte == 0);
        strings
            .map(|s| OsStr::from_bytes(s.strip_suffix(b"\0").unwrap()).to_owned())
            .collect()
    };
    let argv = split(read(arg_start, arg_end));
    let envp = split(read(env_start, env_end));
    // Its end is the end of the stack's pages, but for the zeros.
    let end = fs::read_to_string("/proc/self/maps").unwrap();
    let end = end.lines().find(|line| line.ends_with("[stack]")).unwrap();
    let (_, end) = end
        .split_whitespace()
        .next()
        .unwrap()
        .split_once('-')
        .unwrap();
    let top = u64::from_str_radix(end, 16).unwrap();
    let execfn = &split(read(env_end, top - TOP_ZEROS))[0];

    let mut random = 0;
    let words = fs::read("/proc/self/auxv").unwrap();
    let words: Vec<u64> = words
        .chunks(8)
        .map(|w| u64::from_le_bytes(w.try_into().unwrap()))
        .collect();
    let pairs = words.chunks(2).map(|pair| (pair[0], pair[1]));
    let auxv: Vec<_> = pairs
        .take_while(|(tag, _)| *tag != libc::AT_NULL)
        .map(|(tag, value)| match tag {
            libc::AT_RANDOM => {
                random = value;
                (tag, AuxValue::Random)
            }
            libc::AT_EXECFN => (tag, AuxValue::ExecFn),
            libc::AT_PLATFORM => (tag, AuxValue::Platform),
            _ => (tag, AuxValue::Word(value)),
        })
        .collect();

    let content = StackContent {
        execfn,
        auxv: &auxv,
        random: read(random, random + 16).try_into().unwrap(),
        shuffle: arg_start - (random + 16 + PLATFORM.len() as u64),
        limit: string_limit(libc::RLIM_INFINITY),
        room: string_room(libc::RLIM_INFINITY),
        ..content(&argv, &envp)
    };
    let stack = build(&content, top).unwrap();
    assert_eq!(stack.sp, sp);
    assert_eq!((stack.arg_start, stack.arg_end), (arg_start, arg_end));
    assert_eq!((stack.env_start, stack.env_end), (env_start, env_end));
    assert!(stack.bytes == read(sp, top));
}

fn any_string() -> impl Strategy<Value = OsString> {
    prop::collection::vec(1..=u8::MAX, 0..40).prop_map(|bytes| OsStr::from_bytes(&bytes).to_owned())
}

proptest! {
    #[test]
    fn reads_back_what_was_written(
        argv in prop::collection::vec(any_string(), 1..20),
        envp in prop::collection::vec(any_string(), 0..20),
        execfn in any_string(),
        words in prop::collection::vec((1u64..60, any::<u64>()), 0..30),
        shuffle: u64,
        top in (0x10_0000..TOP).prop_map(|top| top & !0xfff),
    ) {
        let mut auxv: Vec<_> = words.iter().map(|(tag, word)| (*tag, AuxValue::Word(*word))).collect();
        auxv.push((libc::AT_EXECFN, AuxValue::ExecFn));
        let content = StackContent {
            argv: &argv,
            envp: &envp,
            execfn: &execfn,
            auxv: &auxv,
            shuffle,
            ..content(&[], &[])
        };
        let stack = build(&content, top).unwrap();
        prop_assert_eq!(stack.sp % 16, 0);
        prop_assert_eq!(stack.sp + stack.bytes.len() as u64, top);

        let found = stack.walk();
        let joined = |strings: &[OsString]| {
            strings.iter().flat_map(|s| [s.as_bytes(), b"\0"].concat()).collect::<Vec<u8>>()
        };
        let between = |start: u64, end: u64| stack.at(start)[..(end - start) as usize].to_vec();
        prop_assert_eq!(between(stack.arg_start, stack.arg_end), joined(&argv));
        prop_assert_eq!(between(stack.env_start, stack.env_end), joined(&envp));
        let (exec_entry, rest) = found.auxv.split_last().unwrap();
        prop_assert_eq!(rest, words);
        prop_assert_eq!(stack.string(exec_entry.1), execfn);
        prop_assert_eq!(found.argv, argv);
        prop_assert_eq!(found.envp, envp);
    }
}

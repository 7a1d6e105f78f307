use proptest::prelude::*;

use super::*;

fn script(interpreter: &str, argument: Option<&str>) -> Result<Option<Script>, ScriptError> {
    let argument = argument.map(OsString::from);
    Ok(Some(Script {
        interpreter: interpreter.into(),
        argument,
    }))
}

/// Each line was tried on Linux 6.18, with a program that prints its
/// arguments as the interpreter.
#[test]
fn reads_lines_as_linux_does() {
    let sh = |argument| script("/bin/sh", argument);
    assert_eq!(parse_script(b"#!/bin/sh\n"), sh(None));
    assert_eq!(parse_script(b"#!/bin/sh\necho hello\n"), sh(None));
    assert_eq!(parse_script(b"#!/bin/sh -e\n"), sh(Some("-e")));
    assert_eq!(
        parse_script(b"#! \t/bin/sh \t a b  \t\nfoo"),
        sh(Some("a b"))
    );
    assert_eq!(parse_script(b"#!/bin/sh \t\n"), sh(None));
    assert_eq!(parse_script(b"#!/bin/sh\r\n"), script("/bin/sh\r", None));
    assert_eq!(parse_script(b"#!sh\n"), script("sh", None));
    assert_eq!(
        parse_script(b"#!/bin/\xff\n")
            .unwrap()
            .unwrap()
            .interpreter
            .as_bytes(),
        b"/bin/\xff"
    );
}

#[test]
fn reads_last_lines_without_newline_as_linux_does() {
    let sh = |argument| script("/bin/sh", argument);
    assert_eq!(parse_script(b"#!/bin/sh"), sh(None));
    assert_eq!(parse_script(b"#!/bin/sh -e"), sh(Some("-e")));
    assert_eq!(parse_script(b"#!/bin/sh "), sh(Some("")));
    assert_eq!(parse_script(b"#!/bin/sh a  "), sh(Some("a  ")));
}

#[test]
fn a_nul_ends_the_line_and_each_word() {
    let sh = |argument| script("/bin/sh", argument);
    assert_eq!(parse_script(b"#!/bin/sh\0x y\n"), sh(None));
    assert_eq!(parse_script(b"#!/bin/sh \0\n"), sh(Some("")));
    assert_eq!(parse_script(b"#!/bin/sh a\0b\n"), sh(Some("a")));
}

#[test]
fn other_files_are_no_scripts() {
    for head in [
        &b""[..],
        b"#",
        b"\n#!/bin/sh\n",
        b" #!/bin/sh\n",
        b"# !/bin/sh\n",
        b"\x7fELF",
    ] {
        assert_eq!(parse_script(head), Ok(None));
    }
}

#[test]
fn a_line_without_interpreter_is_refused() {
    for head in [
        &b"#!\n"[..],
        b"#! \t\n",
        b"#! \n/bin/sh",
        &blanks(300),
        &blanks(254),
        &blanks(253),
    ] {
        assert_eq!(parse_script(head), Err(ScriptError::NoInterpreter));
    }
    for head in [&b"#!"[..], b"#!  ", b"#! \0/bin/sh\n", &blanks(252)] {
        assert_eq!(parse_script(head), Err(ScriptError::EmptyInterpreter));
    }
    assert_eq!(ScriptError::NoInterpreter.errno(), libc::ENOEXEC);
    assert_eq!(ScriptError::EmptyInterpreter.errno(), libc::EACCES);
}

fn blanks(count: usize) -> Vec<u8> {
    [b"#!".to_vec(), vec![b' '; count]].concat()
}

#[test]
fn the_path_must_lie_within_the_buffer() {
    let line = |len: usize, rest: &str| format!("#!{}{rest}", "/".repeat(len)).into_bytes();
    let path = "/".repeat(253);
    for rest in ["", "\n", " x\n", " ", "\0"] {
        assert_eq!(
            parse_script(&line(253, rest)),
            script(&path, None),
            "{rest:?}"
        );
        assert_eq!(
            parse_script(&line(254, rest)),
            Err(ScriptError::Truncated),
            "{rest:?}"
        );
    }
    assert_eq!(parse_script(&line(300, "\n")), Err(ScriptError::Truncated));
    assert_eq!(ScriptError::Truncated.errno(), libc::ENOEXEC);
}

#[test]
fn the_argument_is_cut_at_the_buffer() {
    let line = |rest: String| parse_script(format!("#!/bin/sh {rest}").as_bytes());
    let kept = "a".repeat(245);
    assert_eq!(
        line(format!("{}\n", "a".repeat(245))),
        script("/bin/sh", Some(&kept))
    );
    assert_eq!(
        line(format!("{}\n", "a".repeat(246))),
        script("/bin/sh", Some(&kept))
    );
    assert_eq!(line("a".repeat(300)), script("/bin/sh", Some(&kept)));
    // Blanks before the cut are trimmed.
    assert_eq!(
        line(format!("-e{}x\n", " ".repeat(300))),
        script("/bin/sh", Some("-e"))
    );
    assert_eq!(line(" ".repeat(300)), script("/bin/sh", None));
    assert_eq!(
        line(format!("{}ab", " ".repeat(244))),
        script("/bin/sh", Some("a"))
    );
    assert_eq!(
        line(format!("{}ab", " ".repeat(245))),
        script("/bin/sh", None)
    );
}

#[test]
fn puts_the_interpreter_before_the_script() {
    let argv = |strings: &[&str]| strings.iter().map(OsString::from).collect::<Vec<_>>();
    let script = Script {
        interpreter: "/bin/awk".into(),
        argument: Some("-f".into()),
    };
    let path = OsStr::new("./sum");
    assert_eq!(
        script.argv(path, &argv(&["sum", "1", "2"])),
        argv(&["/bin/awk", "-f", "./sum", "1", "2"])
    );
    assert_eq!(script.argv(path, &[]), argv(&["/bin/awk", "-f", "./sum"]));
    let plain = Script {
        argument: None,
        ..script
    };
    assert_eq!(
        plain.argv(path, &argv(&["sum"])),
        argv(&["/bin/awk", "./sum"])
    );
}

proptest! {
    #[test]
    fn words_are_free_of_nul_and_short(
        line in prop::collection::vec(prop::sample::select(b"#! \t\n\0/ab".to_vec()), 0..300),
    ) {
        let head = [b"#!", &line[..]].concat();
        if let Ok(found) = parse_script(&head) {
            let script = found.unwrap();
            let name = script.interpreter.as_bytes();
            prop_assert!(!name.is_empty() && name.len() <= SCRIPT_BUF - 3);
            prop_assert!(!name.iter().any(|byte| matches!(byte, 0 | b' ' | b'\t' | b'\n')));
            let argument = script.argument.unwrap_or_default();
            prop_assert!(argument.len() <= SCRIPT_BUF - 4);
            prop_assert!(!argument.as_bytes().iter().any(|byte| matches!(byte, 0 | b'\n')));
        }
    }

    #[test]
    fn reads_back_what_was_written(
        name in "[a-z/.]{1,60}",
        argument in prop::option::of("[a-z-]([a-z \t]{0,60}[a-z])?"),
        before in "[ \t]{0,9}",
        between in "[ \t]{1,9}",
        after in "[ \t]{0,9}",
    ) {
        let rest = argument.as_ref().map(|rest| format!("{between}{rest}")).unwrap_or_default();
        let line = format!("#!{before}{name}{rest}{after}\n");
        prop_assert_eq!(parse_script(line.as_bytes()), script(&name, argument.as_deref()));
    }
}

//! Names of files that tell of a process: `/proc/PID/ENTRY` and
//! `/proc/PID/task/TID/ENTRY`.

/// Whose file it is, and which.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Name<'a> {
    /// The process, or a thread of it where `/proc/TID` names one.
    pub process: i32,
    /// For a file below `task`.
    pub thread: Option<i32>,
    /// What is behind it, in parts.
    entry: Vec<&'a [u8]>,
}

/// Stands for the calling process.
const SELF: i32 = 0;

impl<'a> Name<'a> {
    /// From a path below the root of procfs, without links.
    pub fn of_place(place: &'a [u8]) -> Option<Name<'a>> {
        let parts: Vec<&[u8]> = parts(place).collect();
        let (who, rest) = parts.split_first()?;
        Name::below(number(who)?, rest)
    }

    /// From a name as the payload gives it, which leads there if nothing on the
    /// way is a link of its own. The calling process is [`SELF`].
    pub fn of_given(path: &'a [u8]) -> Option<Name<'a>> {
        if !path.starts_with(b"/") {
            return None;
        }
        let parts: Vec<&[u8]> = parts(path).collect();
        let ([b"proc", who], rest) = parts.split_first_chunk()? else {
            return None;
        };
        if parts.contains(&b"..".as_slice()) {
            return None;
        }
        let process = match *who {
            b"self" | b"thread-self" => SELF,
            who => number(who)?,
        };
        Name::below(process, rest)
    }

    fn below(process: i32, rest: &[&'a [u8]]) -> Option<Name<'a>> {
        let (thread, entry) = match rest {
            [b"task", thread, entry @ ..] if !entry.is_empty() => (Some(number(thread)?), entry),
            entry => (None, entry),
        };
        (!entry.is_empty()).then(|| Name {
            process,
            thread,
            entry: entry.to_vec(),
        })
    }

    /// The entry, if it is directly below the process or thread.
    pub fn file(&self) -> Option<&'a [u8]> {
        match self.entry[..] {
            [file] => Some(file),
            _ => None,
        }
    }

    /// The directory the entry is in, and the entry.
    pub fn in_directory(&self) -> Option<(&'a [u8], &'a [u8])> {
        match self.entry[..] {
            [directory, file] => Some((directory, file)),
            _ => None,
        }
    }

    /// The descriptor that the entry stands for.
    pub fn descriptor(&self) -> Option<i32> {
        match self.in_directory()? {
            (b"fd" | b"fdinfo", name) => number(name),
            _ => None,
        }
    }

    /// Its name below the root of `/proc`.
    pub fn below_root(&self, file: &str) -> String {
        match self.thread {
            Some(thread) => format!("{}/task/{thread}/{file}", self.process),
            None => format!("{}/{file}", self.process),
        }
    }
}

fn parts(path: &[u8]) -> impl Iterator<Item = &[u8]> {
    let parts = path.split(|byte| *byte == b'/');
    parts.filter(|part| !part.is_empty() && *part != b".")
}

/// The number that is all of `text`.
pub fn number(text: &[u8]) -> Option<i32> {
    let digits = text.iter().all(u8::is_ascii_digit);
    digits.then(|| std::str::from_utf8(text).ok()?.parse().ok())?
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(path: &str) -> Option<(i32, Option<i32>, Vec<&str>)> {
        let name = Name::of_place(path.as_bytes())?;
        let entry = name.entry.iter();
        let entry = entry.map(|part| std::str::from_utf8(part).unwrap());
        Some((name.process, name.thread, entry.collect()))
    }

    #[test]
    fn places() {
        assert_eq!(at("/12/maps"), Some((12, None, vec!["maps"])));
        assert_eq!(at("/12/task/13/maps"), Some((12, Some(13), vec!["maps"])));
        assert_eq!(at("/12/fd/4"), Some((12, None, vec!["fd", "4"])));
        assert_eq!(
            at("/12/task/13/fd/4"),
            Some((12, Some(13), vec!["fd", "4"]))
        );
        assert_eq!(at("/sys/12/mem"), None);
        assert_eq!(at("/12/task"), Some((12, None, vec!["task"])));
        assert_eq!(at("/12"), None);
        assert_eq!(at("/meminfo"), None);
    }

    #[test]
    fn names_as_given() {
        let given = |path: &'static str| Name::of_given(path.as_bytes());
        let maps = given("/proc/self/maps").unwrap();
        assert_eq!((maps.process, maps.file()), (SELF, Some(&b"maps"[..])));
        let maps = given("//proc/./thread-self//maps").unwrap();
        assert_eq!((maps.process, maps.file()), (SELF, Some(&b"maps"[..])));
        assert_eq!(given("/proc/8/fd/3").unwrap().descriptor(), Some(3));
        assert_eq!(given("/proc/self/../8/fd/3"), None);
        assert_eq!(given("proc/self/maps"), None);
        assert_eq!(given("/proc"), None);
        assert_eq!(given("/proc/self"), None);
    }
}

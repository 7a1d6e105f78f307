//! The host's `maps` and `smaps` of a monitor, read.

use std::ops::Range;

/// An entry: a header line, and in `smaps` figures behind it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Area<'a> {
    pub range: Range<u64>,
    /// `rwxp`, with dashes.
    pub rights: &'a str,
    /// Offset, device, inode and name.
    pub rest: &'a str,
    /// Names and kilobytes, in the host's order.
    pub figures: Vec<(&'a str, u64)>,
    /// Lines of another form, as they are.
    pub others: Vec<&'a str>,
}

impl Area<'_> {
    pub fn len(&self) -> u64 {
        self.range.end - self.range.start
    }

    /// Whether nothing can be read there, and no file is behind it: what the
    /// monitor holds free for the payload looks like this.
    pub fn is_hollow(&self) -> bool {
        self.rights.starts_with("---") && self.rest.contains(" 00:00 0")
    }
}

/// The entries of `text`. What is not understood is left out.
pub fn parse(text: &str) -> Vec<Area<'_>> {
    let mut areas: Vec<Area<'_>> = Vec::new();
    for line in text.lines() {
        if let Some(area) = header(line) {
            areas.push(area);
            continue;
        }
        let Some(area) = areas.last_mut() else {
            continue;
        };
        match figure(line) {
            Some(figure) => area.figures.push(figure),
            None => area.others.push(line),
        }
    }
    areas
}

fn header(line: &str) -> Option<Area<'_>> {
    let (range, rest) = line.split_once(' ')?;
    let (start, end) = range.split_once('-')?;
    let number = |text| u64::from_str_radix(text, 16).ok();
    let (rights, rest) = rest.split_once(' ')?;
    let range = number(start)?..number(end)?;
    (range.start < range.end).then_some(Area {
        range,
        rights,
        rest,
        figures: Vec::new(),
        others: Vec::new(),
    })
}

fn figure(line: &str) -> Option<(&str, u64)> {
    let (name, value) = line.split_once(':')?;
    let value = value.trim().strip_suffix(" kB")?;
    Some((name, value.parse().ok()?))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn entries_of_smaps() {
        let text = "\
7f00-8f00 rw-p 00000000 00:00 0                          [heap]
Size:                  4 kB
Rss:                   8 kB
THPeligible:           0
VmFlags: rd wr
9000-a000 ---p 00000000 00:00 0
";
        let areas = parse(text);
        let [heap, hollow] = &areas[..] else {
            panic!("{areas:?}")
        };
        assert_eq!(heap.range, 0x7f00..0x8f00);
        assert_eq!(heap.figures, [("Size", 4), ("Rss", 8)]);
        assert_eq!(heap.others, ["THPeligible:           0", "VmFlags: rd wr"]);
        assert!(!heap.is_hollow());
        assert!(hollow.is_hollow());
    }

    #[test]
    fn damaged_text_is_left_out() {
        assert_eq!(parse("x\n1-\n-2 r\n5-4 rwxp 0 0 0\nRss: 1 kB\n"), []);
    }
}

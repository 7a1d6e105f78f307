//! The host's vDSO inside the guest, so that reading the clock costs no exit.
//!
//! Its code is copied into the payload's memory; the data it reads are the
//! host's own pages, shown to the guest read-only at the same distance from
//! the code. Layouts differ between kernels: which pages there are is read
//! from `/proc/self/maps`.

use std::fs::File;
use std::io::Read;
use std::ops::Range;
use std::os::fd::{AsRawFd, BorrowedFd};

use crate::errno::Errno;
use crate::mem::layout::PAGE;
use crate::mem::space::AddressSpace;
use crate::sys::{path, proc};

/// The host's vDSO: where its code and data lie in the monitor.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Vdso {
    code: Range<u64>,
    data: Vec<Range<u64>>,
}

impl Vdso {
    /// That of the running kernel; `None` where it has none, or where there is
    /// no `/proc`.
    pub fn of_host(proc_root: Option<BorrowedFd<'_>>) -> Option<Vdso> {
        // Large enough to be read at once: each read makes the kernel start
        // over.
        const ROOM: usize = 16 << 10;
        let mut maps = String::with_capacity(ROOM);
        // Not by its path: there the payload may have put something else.
        let file = path::open_at(proc_root?.as_raw_fd(), c"self/maps", libc::O_RDONLY).ok()?;
        File::from(file).read_to_string(&mut maps).ok()?;
        Vdso::parse(&maps)
    }

    /// From the text of `/proc/PID/maps`.
    fn parse(maps: &str) -> Option<Vdso> {
        let mut code = None;
        let mut data = Vec::new();
        for line in maps.lines() {
            let name = line.rsplit(' ').next()?;
            if name != "[vdso]" && !name.starts_with("[vvar") {
                continue;
            }
            let (start, end) = line.split(' ').next()?.split_once('-')?;
            let start = u64::from_str_radix(start, 16).ok()?;
            let end = u64::from_str_radix(end, 16).ok()?;
            if name == "[vdso]" {
                code = Some(start..end);
            } else {
                push_range(&mut data, start..end);
            }
        }
        Some(Vdso { code: code?, data })
    }

    /// All of it, data and code.
    fn span(&self) -> Range<u64> {
        let start = self
            .data
            .iter()
            .map(|r| r.start)
            .fold(self.code.start, u64::min);
        let end = self
            .data
            .iter()
            .map(|r| r.end)
            .fold(self.code.end, u64::max);
        start..end
    }

    /// Maps it into `space`; the address of its ELF header.
    ///
    /// # Errors
    ///
    /// ENOMEM, or from KVM.
    pub fn map(&self, space: &mut AddressSpace) -> Result<u64, Errno> {
        let span = self.span();
        let place = space.find_free(span.end - span.start, 0, PAGE)?;
        let at = |host: u64| host - span.start + place.start;
        let code = at(self.code.start)..at(self.code.end);
        let image = proc::vdso_image(self.code.start, (self.code.end - self.code.start) as usize);
        space.place_vdso(code.clone(), &image)?;
        let physical = space.arenas().shared();
        for data in &self.data {
            let range = at(data.start)..at(data.end);
            space.share(range, data.start, physical + (data.start - span.start))?;
        }
        Ok(code.start)
    }
}

/// Adds a range, as part of the last one where it continues that.
fn push_range(ranges: &mut Vec<Range<u64>>, range: Range<u64>) {
    match ranges.last_mut() {
        Some(last) if last.end == range.start => last.end = range.end,
        _ => ranges.push(range),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn finds_pages_in_any_order_with_others_between() {
        let maps = "\
7f0000000000-7f0000004000 r--p 00000000 00:00 0                          [vvar]
7f0000004000-7f0000006000 r--p 00000000 00:00 0                          [vvar_vclock]
7f0000006000-7f0000008000 r-xp 00000000 00:00 0                          [vdso]
7ffc00000000-7ffc00021000 rw-p 00000000 00:00 0                          [stack]
";
        let vdso = Vdso::parse(maps).unwrap();
        assert_eq!(vdso.code, 0x7f00_0000_6000..0x7f00_0000_8000);
        assert_eq!(vdso.data.len(), 1, "one slot for both");
        assert_eq!(vdso.data[0], 0x7f00_0000_0000..0x7f00_0000_6000);
        assert_eq!(vdso.span(), 0x7f00_0000_0000..0x7f00_0000_8000);
    }

    #[test]
    fn a_kernel_without_is_no_error() {
        assert_eq!(
            Vdso::parse("00400000-00401000 r-xp 00000000 08:01 42 /bin/x\n"),
            None
        );
        assert_eq!(Vdso::parse(""), None);
    }
}

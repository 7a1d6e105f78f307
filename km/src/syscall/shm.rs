//! System V shared memory. Segments are the host's; attached ones are mapped
//! like files.

use std::ops::Range;
use std::sync::Arc;

use super::Outcome;
use super::call::Call;
use crate::errno::Errno;
use crate::mem::layout::{MMAP_MIN, PAGE, TASK_SIZE};
use crate::mem::mapping::{FileInfo, Kind, Mapping, Prot};
use crate::mem::space::AddressSpace;
use crate::sys::map::{Segment, may_map_low};

/// `shmat(2)`.
pub fn shmat(call: &mut Call<'_>) -> Outcome {
    attach(call).into()
}

fn attach(call: &mut Call<'_>) -> Result<u64, Errno> {
    let (id, address, flags) = (call.int(0), call.arg(1), call.int(2));
    let replaces = flags & libc::SHM_REMAP != 0;
    let rounded = address & !(PAGE - 1);
    // Rounding must be asked for, and may not end in no address at all.
    let unaligned = address != rounded && flags & libc::SHM_RND == 0;
    if unaligned || replaces && rounded == 0 {
        return Err(Errno::EINVAL);
    }
    let segment = Segment::attach(id, flags)?;
    let len = segment.len.checked_next_multiple_of(PAGE);
    let len = len.ok_or(Errno::EINVAL)?;

    let mut space = call.process.space();
    let range = if address == 0 {
        space.find_free(len, 0, PAGE)?
    } else {
        wanted(&space, rounded, len, replaces)?
    };
    let writable = flags & libc::SHM_RDONLY == 0;
    let mut prot = Prot::READ;
    prot.set(Prot::WRITE, writable);
    prot.set(Prot::EXEC, flags & libc::SHM_EXEC != 0);
    let file = Arc::new(FileInfo::segment(id, segment.key, writable));
    let mut mapping = Mapping::new(prot, Kind::File { file, offset: 0 });
    mapping.shared = true;
    space.attach(&range, mapping, segment)?;
    Ok(range.start)
}

/// The range at `start`, if the payload may have it.
fn wanted(space: &AddressSpace, start: u64, len: u64, replaces: bool) -> Result<Range<u64>, Errno> {
    // What is not to be replaced is looked for first.
    let beyond = if replaces {
        Errno::ENOMEM
    } else {
        Errno::EINVAL
    };
    let end = start.checked_add(len).ok_or(beyond)?;
    let range = start..end;
    if !replaces && !space.mappings().is_free(range.clone()) {
        return Err(Errno::EINVAL);
    }
    if end > TASK_SIZE {
        return Err(Errno::ENOMEM);
    }
    if start < MMAP_MIN {
        may_map_low(start)?;
    }
    if !space.arenas().contains(&range) {
        return Err(Errno::ENOMEM);
    }
    Ok(range)
}

/// `shmdt(2)`.
pub fn shmdt(call: &mut Call<'_>) -> Outcome {
    let address = call.arg(0);
    if !address.is_multiple_of(PAGE) {
        return Outcome::Fail(Errno::EINVAL);
    }
    call.process.space().detach(address).map(|()| 0).into()
}

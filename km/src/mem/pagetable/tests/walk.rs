//! Tables as the processor reads them (SDM volume 3, section 5.5.4), apart
//! from the code that writes them.

use std::collections::BTreeSet;

use vm_memory::{Bytes, GuestAddress};

use super::super::Access;
use super::model::Page;
use crate::mem::system::SystemArea;

const PAGE_SHIFT: u32 = 12;
/// Present, accessed, dirty.
const LEAF: u64 = 0b110_0001;
/// Present, writable, open to ring 3, accessed: access is the leaf's matter.
const LINK: u64 = 0b010_0111;
const PAGE_SIZE_BIT: u64 = 1 << 7;
const EXECUTE_DISABLE: u64 = 1 << 63;
const FRAME: u64 = (1 << 52) - (1 << PAGE_SHIFT);

/// All that a set of tables says.
#[derive(Debug, Default)]
pub struct Walk {
    /// In order, those inside large pages one by one.
    pub pages: Vec<(u64, Page)>,
    /// Numbers of the 2 MiB blocks that are large pages.
    pub large: BTreeSet<u64>,
    /// The root first.
    pub tables: Vec<u64>,
}

impl Walk {
    pub fn new(area: &SystemArea, root: u64) -> Walk {
        let mut walk = Walk::default();
        walk.table(area, root, 4, 0);
        walk
    }

    /// Reads the table for the pages from `first` on. In the manual's count,
    /// the root is level 4, and level 1 maps pages.
    fn table(&mut self, area: &SystemArea, table: u64, level: u32, first: u64) {
        assert_eq!(table % 4096, 0, "a table at {table:#x}");
        self.tables.push(table);
        let mut bytes = [0; 4096];
        area.memory()
            .read_slice(&mut bytes, GuestAddress(table))
            .expect("a table outside the system area");
        for (n, bytes) in (0..).zip(bytes.chunks_exact(8)) {
            let entry = u64::from_le_bytes(bytes.try_into().unwrap());
            if entry == 0 {
                continue;
            }
            let page = first + (n << (9 * (level - 1)));
            assert!(page < 1 << 35, "{entry:#x} is beyond the payload's half");
            match level {
                1 => self.leaf(page, entry, 1),
                2 if entry & PAGE_SIZE_BIT != 0 => {
                    self.large.insert(page / 512);
                    self.leaf(page, entry & !PAGE_SIZE_BIT, 512);
                }
                _ => {
                    assert_eq!(entry & !FRAME, LINK, "{entry:#x} in level {level}");
                    self.table(area, entry & FRAME, level - 1, page);
                }
            }
        }
    }

    fn leaf(&mut self, page: u64, entry: u64, count: u64) {
        let access = Access {
            write: entry & 1 << 1 != 0,
            user: entry & 1 << 2 != 0,
            execute: entry & EXECUTE_DISABLE == 0,
        };
        let rest = entry & !FRAME & !(1 << 1) & !(1 << 2) & !EXECUTE_DISABLE;
        assert_eq!(rest, LEAF, "{entry:#x} for page {page:#x}");
        let frame = (entry & FRAME) >> PAGE_SHIFT;
        assert_eq!(frame % count, 0, "reserved bits in {entry:#x}");
        self.pages
            .extend((0..count).map(|n| (page + n, (frame + n, access))));
    }
}

//! The modules of the suite that are run: what stands on processes, threads,
//! signals, memory, descriptors and sockets.

use std::time::Duration;

#[derive(Debug)]
pub struct Module {
    pub name: &'static str,
    /// How long it may take natively, in all.
    seconds: u64,
}

/// Of the slow ones the slowest come first, so that the last to end is short.
pub const ALL: [Module; 14] = [
    module("test_multiprocessing_fork", 600),
    module("test_concurrent_futures", 600),
    module("test_asyncio", 600),
    module("test_signal", 300),
    module("test_socket", 300),
    module("test_subprocess", 300),
    module("test_threading", 300),
    module("test_faulthandler", 300),
    module("test_selectors", 300),
    module("test_threadsignals", 300),
    module("test_os", 300),
    module("test_posix", 300),
    module("test_fcntl", 300),
    module("test_mmap", 300),
];

const fn module(name: &'static str, seconds: u64) -> Module {
    Module { name, seconds }
}

pub fn find(name: &str) -> Option<&'static Module> {
    ALL.iter().find(|module| module.name == name)
}

/// What a run may take. A module that hangs is ended by its silence, long
/// before its time is up.
#[derive(Debug, Clone, Copy)]
pub struct Limits {
    pub total: Duration,
    pub silence: Duration,
}

impl Module {
    /// Stands for the module among the ids of its tests.
    pub fn id(&self) -> String {
        format!("test.{}", self.name)
    }

    pub fn native_limits(&self) -> Limits {
        Limits {
            total: Duration::from_secs(self.seconds),
            silence: Duration::from_secs(60),
        }
    }

    /// A system call may cost a hundred times as much, a process ten times.
    pub fn km_limits(&self) -> Limits {
        Limits {
            total: Duration::from_secs(6 * self.seconds),
            silence: Duration::from_secs(300),
        }
    }
}

//! What is measured, and what was promised of it.

use crate::target::{Target, Unit};

/// What a sample is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Sample {
    /// Nanoseconds from start to end of the process, as its parent sees it. It has to print this.
    WholeRun(&'static str),
    /// The nanoseconds that the guest measured and printed.
    Printed,
    /// KiB of memory that belong to the waiting process alone.
    IdleMemory,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Floor {
    /// A process that builds the bare VM, runs to its first call and exits.
    Process,
    /// Such a process, run with the guest's own words, does with child processes what the guest
    /// does.
    Children,
    /// Round trips of the bare VM.
    RoundTrip,
    /// A further vCPU of the bare VM, of this many in a row.
    Vcpu(Amount),
    /// Two vCPUs of the bare VM do what the guest `pingpong` does, this many times.
    PingPong(Amount),
    /// The bare VM reads the data file, mapped as its memory.
    MapRead,
    /// The bare VM has the data file read or written, in blocks of 1 MiB.
    Blocks(Direction),
}

/// Which way a block goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Direction {
    Read,
    Write,
}

/// A number for a full run and one for a quick run.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Amount(pub u64, pub u64);

impl Amount {
    pub fn of(self, quick: bool) -> u64 {
        if quick { self.1 } else { self.0 }
    }
}

/// What is run.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Program {
    /// One of `benches/guests`, there with the distribution's musl and with km's own C library.
    Guest(&'static str),
    /// One of the payloads, a path below the folder they are built in.
    Payload(&'static str),
}

/// A word of a guest's command line.
#[derive(Clone, Copy, Debug)]
pub enum Word {
    Fixed(&'static str),
    Number(Amount),
    /// The path of the data file.
    Data,
    /// The path of another guest.
    Guest(&'static str),
}

#[derive(Debug)]
pub struct Measure {
    /// For `--only`, and the key in the JSON file.
    pub name: &'static str,
    pub title: &'static str,
    pub program: Program,
    pub words: &'static [Word],
    pub sample: Sample,
    pub unit: Unit,
    /// The first is the one in the table's own row; those against a peer follow below it. With
    /// none, the figures are only shown.
    pub targets: &'static [Target],
    pub floor: Option<Floor>,
    pub pairs: Amount,
    /// In how many of the pairs other sandboxes take part.
    pub peer_runs: Amount,
}

/// For how many milliseconds blocks are read or written, at least.
pub const BLOCKS_LIMIT: Amount = Amount(500, 100);

/// How many threads are alive at once.
const NEW_THREADS: Amount = Amount(64, 64);
const TURNS: Amount = Amount(2000, 500);
const CHILDREN: Amount = Amount(50, 20);

/// The static one, linked with km's own C library.
const PYTHON: Program = Program::Payload("python/python.km");
/// Prints the nanoseconds of a round.
const PYTHON_MIX: &str = include_str!("../guests/mix.py");

const MILLISECOND: f64 = 1e6;
const MEBIBYTE_IN_KIB: f64 = 1024.0;

/// What most measures have in common.
const COMPUTE: Measure = Measure {
    name: "",
    title: "",
    program: Program::Guest(""),
    words: &[],
    sample: Sample::Printed,
    unit: Unit::Milliseconds,
    targets: &[Target::Speed(0.98)],
    floor: None,
    pairs: Amount(9, 3),
    peer_runs: Amount(3, 1),
};

/// What takes microseconds, most of it in system calls.
const CALLS: Measure = Measure {
    unit: Unit::Microseconds,
    pairs: Amount(15, 5),
    ..COMPUTE
};

/// What makes child processes. No other sandbox takes part: a container holds no second program,
/// and an emulator would hand it to the host.
const LAUNCH: Measure = Measure {
    floor: Some(Floor::Children),
    pairs: Amount(15, 5),
    peer_runs: Amount(0, 0),
    ..COMPUTE
};

pub const MEASURES: [Measure; 22] = [
    Measure {
        name: "hello",
        title: "static hello, start to exit",
        program: Program::Guest("hello"),
        sample: Sample::WholeRun("hello\n"),
        targets: &[
            Target::Above(2.5 * MILLISECOND),
            Target::TimesPeer("crun", 0.5),
            Target::TimesPeer("runsc", 0.1),
        ],
        floor: Some(Floor::Process),
        pairs: Amount(60, 30),
        peer_runs: Amount(60, 10),
        ..COMPUTE
    },
    Measure {
        name: "hypercall",
        title: "hypercall round trip (getppid)",
        program: Program::Guest("getppid"),
        words: &[Word::Number(Amount(300, 50))],
        unit: Unit::Microseconds,
        targets: &[Target::TimesFloor(1.15), Target::RuntimeTimes(0.8)],
        floor: Some(Floor::RoundTrip),
        pairs: Amount(15, 5),
        ..COMPUTE
    },
    Measure {
        name: "clock",
        title: "clock_gettime",
        program: Program::Guest("clock"),
        words: &[Word::Number(Amount(200, 50))],
        unit: Unit::Nanoseconds,
        targets: &[Target::Times(1.05)],
        pairs: Amount(15, 5),
        ..COMPUTE
    },
    Measure {
        name: "integer",
        title: "integer loop",
        program: Program::Guest("integer"),
        words: &[Word::Number(Amount(3, 1))],
        ..COMPUTE
    },
    Measure {
        name: "parallel",
        title: "integer loop on 2 threads",
        program: Program::Guest("integer"),
        words: &[Word::Number(Amount(3, 1)), Word::Fixed("2")],
        targets: &[Target::Speed(0.97)],
        ..COMPUTE
    },
    Measure {
        name: "float",
        title: "floating point loop",
        program: Program::Guest("float"),
        words: &[Word::Number(Amount(400, 100))],
        ..COMPUTE
    },
    Measure {
        name: "avx",
        title: "AVX2 loop",
        program: Program::Guest("avx"),
        words: &[Word::Number(Amount(1000, 300))],
        ..COMPUTE
    },
    Measure {
        name: "sha256",
        title: "sha256 of 1 GiB (quick: 64 MiB)",
        program: Program::Guest("sha256"),
        words: &[Word::Number(Amount(1024, 64))],
        pairs: Amount(5, 3),
        peer_runs: Amount(2, 1),
        ..COMPUTE
    },
    Measure {
        name: "touch",
        title: "touch 1 GiB of fresh memory (quick: 128 MiB)",
        program: Program::Guest("touch"),
        words: &[Word::Number(Amount(1024, 128))],
        targets: &[Target::Times(1.2)],
        ..COMPUTE
    },
    Measure {
        name: "mapread",
        title: "read a cached 1 GiB file by mmap (quick: 128 MiB)",
        program: Program::Guest("mapread"),
        words: &[Word::Data],
        targets: &[Target::Times(1.2)],
        floor: Some(Floor::MapRead),
        ..COMPUTE
    },
    Measure {
        name: "read",
        title: "read, 1 MiB blocks, cached file",
        program: Program::Guest("blocks"),
        words: &[Word::Fixed("read"), Word::Data, Word::Number(BLOCKS_LIMIT)],
        unit: Unit::GibibytesPerSecond,
        targets: &[Target::Speed(0.9)],
        floor: Some(Floor::Blocks(Direction::Read)),
        ..COMPUTE
    },
    Measure {
        name: "write",
        title: "write, 1 MiB blocks, cached file",
        program: Program::Guest("blocks"),
        words: &[Word::Fixed("write"), Word::Data, Word::Number(BLOCKS_LIMIT)],
        unit: Unit::GibibytesPerSecond,
        targets: &[Target::Speed(0.9)],
        floor: Some(Floor::Blocks(Direction::Write)),
        ..COMPUTE
    },
    Measure {
        name: "thread-new",
        title: "thread create + join, each a new one",
        program: Program::Guest("thread"),
        words: &[Word::Fixed("new"), Word::Number(NEW_THREADS)],
        targets: &[Target::FloorsAbove(1.3)],
        floor: Some(Floor::Vcpu(NEW_THREADS)),
        pairs: Amount(30, 10),
        ..CALLS
    },
    Measure {
        name: "thread-reused",
        title: "thread create + join, one after the other",
        program: Program::Guest("thread"),
        words: &[Word::Fixed("reused"), Word::Number(Amount(1000, 200))],
        targets: &[Target::RoundTripsAbove(3.0)],
        ..CALLS
    },
    Measure {
        name: "pingpong",
        title: "futex ping-pong, one way: wake + wait",
        program: Program::Guest("pingpong"),
        words: &[Word::Number(TURNS)],
        targets: &[Target::RoundTripsAbove(2.0)],
        floor: Some(Floor::PingPong(TURNS)),
        ..CALLS
    },
    Measure {
        name: "signal",
        title: "signal to self: kill, handler, return",
        program: Program::Guest("signal"),
        words: &[Word::Number(Amount(200, 50))],
        targets: &[Target::RoundTrips(5.0)],
        ..CALLS
    },
    Measure {
        name: "fork",
        title: "fork + exit + wait",
        program: Program::Guest("launch"),
        words: &[Word::Fixed("fork"), Word::Number(CHILDREN)],
        targets: &[Target::Above(3.0 * MILLISECOND)],
        ..LAUNCH
    },
    Measure {
        name: "exec",
        title: "fork + exec + wait, static hello",
        program: Program::Guest("launch"),
        words: &[
            Word::Fixed("exec"),
            Word::Number(CHILDREN),
            Word::Guest("hello"),
        ],
        targets: &[Target::Above(5.0 * MILLISECOND)],
        ..LAUNCH
    },
    Measure {
        name: "spawn",
        title: "posix_spawn + wait, static hello",
        program: Program::Guest("launch"),
        words: &[
            Word::Fixed("spawn"),
            Word::Number(CHILDREN),
            Word::Guest("hello"),
        ],
        targets: &[],
        ..LAUNCH
    },
    Measure {
        name: "python-start",
        title: "static CPython, start to exit: -c pass",
        program: PYTHON,
        words: &[Word::Fixed("-c"), Word::Fixed("pass")],
        sample: Sample::WholeRun(""),
        targets: &[Target::Above(25.0 * MILLISECOND)],
        pairs: Amount(15, 5),
        peer_runs: Amount(0, 0),
        ..COMPUTE
    },
    Measure {
        name: "python-mix",
        title: "static CPython: dictionaries, strings, numbers",
        program: PYTHON,
        words: &[
            Word::Fixed("-c"),
            Word::Fixed(PYTHON_MIX),
            Word::Number(Amount(300, 50)),
        ],
        targets: &[Target::Speed(0.95)],
        peer_runs: Amount(0, 0),
        ..COMPUTE
    },
    Measure {
        name: "idle",
        title: "private memory of an idle process",
        program: Program::Guest("idle"),
        sample: Sample::IdleMemory,
        unit: Unit::Mebibytes,
        targets: &[Target::Above(3.0 * MEBIBYTE_IN_KIB)],
        pairs: Amount(5, 3),
        peer_runs: Amount(0, 0),
        ..COMPUTE
    },
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_unique() {
        let mut names: Vec<_> = MEASURES.iter().map(|measure| measure.name).collect();
        names.sort_unstable();
        names.dedup();
        assert_eq!(names.len(), MEASURES.len());
    }
}

//! What is measured, and what was promised.

/// What a sample is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Sample {
    /// Nanoseconds from start to end of the process, as its parent sees it.
    WholeRun,
    /// The nanoseconds that the guest measured and printed.
    Printed,
    /// KiB of memory that belong to the waiting process alone.
    IdleMemory,
}

/// How numbers are shown.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Unit {
    Nanoseconds,
    Microseconds,
    Milliseconds,
    Mebibytes,
    /// The guest measured the time of one MiB.
    GibibytesPerSecond,
}

impl Unit {
    pub fn show(self, raw: f64) -> String {
        match self {
            Self::Nanoseconds => format!("{raw:.1} ns"),
            Self::Microseconds => format!("{:.2} µs", raw / 1e3),
            Self::Milliseconds => format!("{:.2} ms", raw / 1e6),
            Self::Mebibytes => format!("{:.2} MiB", raw / 1024.0),
            Self::GibibytesPerSecond => format!("{:.2} GiB/s", 1e9 / 1024.0 / raw),
        }
    }
}

/// A promise. The other columns are compared pair by pair.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Target {
    /// km − native is at most this.
    Above(f64),
    /// km / native is at most this.
    Times(f64),
    /// native / km is at least this: the share of native speed that is left.
    Speed(f64),
    /// km / floor is at most this.
    TimesFloor(f64),
    /// km / the other sandbox is at most this.
    TimesPeer(&'static str, f64),
}

impl Target {
    /// One number from a sample of km and the sample of the other side next to it.
    pub fn combine(self, km: f64, other: f64) -> f64 {
        match self {
            Self::Above(_) => km - other,
            Self::Times(_) | Self::TimesFloor(_) | Self::TimesPeer(..) => km / other,
            Self::Speed(_) => other / km,
        }
    }

    pub fn met(self, value: f64) -> bool {
        match self {
            Self::Above(most)
            | Self::Times(most)
            | Self::TimesFloor(most)
            | Self::TimesPeer(_, most) => value <= most,
            Self::Speed(least) => value >= least,
        }
    }

    pub fn show_value(self, unit: Unit, value: f64) -> String {
        match self {
            Self::Above(_) => Signed(value, unit).to_string(),
            _ => format!("{value:.3}"),
        }
    }

    pub fn show(self, unit: Unit) -> String {
        match self {
            Self::Above(most) => format!("≤ native + {}", unit.show(most)),
            Self::Times(most) => format!("≤ {most} × native"),
            Self::Speed(least) => format!("≥ {least} of native"),
            Self::TimesFloor(most) => format!("≤ {most} × floor"),
            Self::TimesPeer(peer, most) => format!("≤ {most} × {peer}"),
        }
    }
}

/// A difference: the sign goes before the number and the unit behind it.
struct Signed(f64, Unit);

impl std::fmt::Display for Signed {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let sign = if self.0 < 0.0 { "−" } else { "+" };
        write!(f, "{sign}{}", self.1.show(self.0.abs()))
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Floor {
    /// A process that builds the bare VM, runs to its first call and exits.
    Process,
    /// Round trips of the bare VM.
    RoundTrip,
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
#[derive(Clone, Copy, Debug)]
pub struct Amount(pub u64, pub u64);

impl Amount {
    pub fn of(self, quick: bool) -> u64 {
        if quick { self.1 } else { self.0 }
    }
}

/// A word of a guest's command line.
#[derive(Clone, Copy, Debug)]
pub enum Word {
    Fixed(&'static str),
    Number(Amount),
    /// The path of the data file.
    Data,
}

#[derive(Debug)]
pub struct Measure {
    /// For `--only`, and the key in the JSON file.
    pub name: &'static str,
    pub title: &'static str,
    pub guest: &'static str,
    pub words: &'static [Word],
    pub sample: Sample,
    pub unit: Unit,
    /// The first is the one in the table's own row; those against a peer follow below it.
    pub targets: &'static [Target],
    pub floor: Option<Floor>,
    pub pairs: Amount,
    /// In how many of the pairs other sandboxes take part.
    pub peer_runs: Amount,
}

/// For how many milliseconds blocks are read or written, at least.
pub const BLOCKS_LIMIT: Amount = Amount(500, 100);

const MILLISECOND: f64 = 1e6;
const MEBIBYTE_IN_KIB: f64 = 1024.0;

/// What most measures have in common.
const COMPUTE: Measure = Measure {
    name: "",
    title: "",
    guest: "",
    words: &[],
    sample: Sample::Printed,
    unit: Unit::Milliseconds,
    targets: &[Target::Speed(0.98)],
    floor: None,
    pairs: Amount(9, 3),
    peer_runs: Amount(3, 1),
};

pub const MEASURES: [Measure; 12] = [
    Measure {
        name: "hello",
        title: "static hello, start to exit",
        guest: "hello",
        sample: Sample::WholeRun,
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
        guest: "getppid",
        words: &[Word::Number(Amount(300, 50))],
        unit: Unit::Microseconds,
        targets: &[Target::TimesFloor(1.15)],
        floor: Some(Floor::RoundTrip),
        pairs: Amount(15, 5),
        ..COMPUTE
    },
    Measure {
        name: "clock",
        title: "clock_gettime",
        guest: "clock",
        words: &[Word::Number(Amount(200, 50))],
        unit: Unit::Nanoseconds,
        targets: &[Target::Times(1.05)],
        pairs: Amount(15, 5),
        ..COMPUTE
    },
    Measure {
        name: "integer",
        title: "integer loop",
        guest: "integer",
        words: &[Word::Number(Amount(3, 1))],
        ..COMPUTE
    },
    Measure {
        name: "float",
        title: "floating point loop",
        guest: "float",
        words: &[Word::Number(Amount(400, 100))],
        ..COMPUTE
    },
    Measure {
        name: "avx",
        title: "AVX2 loop",
        guest: "avx",
        words: &[Word::Number(Amount(1000, 300))],
        ..COMPUTE
    },
    Measure {
        name: "sha256",
        title: "sha256 of 1 GiB (quick: 64 MiB)",
        guest: "sha256",
        words: &[Word::Number(Amount(1024, 64))],
        pairs: Amount(5, 3),
        peer_runs: Amount(2, 1),
        ..COMPUTE
    },
    Measure {
        name: "touch",
        title: "touch 1 GiB of fresh memory (quick: 128 MiB)",
        guest: "touch",
        words: &[Word::Number(Amount(1024, 128))],
        targets: &[Target::Times(1.2)],
        ..COMPUTE
    },
    Measure {
        name: "mapread",
        title: "read a cached 1 GiB file by mmap (quick: 128 MiB)",
        guest: "mapread",
        words: &[Word::Data],
        targets: &[Target::Times(1.2)],
        floor: Some(Floor::MapRead),
        ..COMPUTE
    },
    Measure {
        name: "read",
        title: "read, 1 MiB blocks, cached file",
        guest: "blocks",
        words: &[Word::Fixed("read"), Word::Data, Word::Number(BLOCKS_LIMIT)],
        unit: Unit::GibibytesPerSecond,
        targets: &[Target::Speed(0.9)],
        floor: Some(Floor::Blocks(Direction::Read)),
        ..COMPUTE
    },
    Measure {
        name: "write",
        title: "write, 1 MiB blocks, cached file",
        guest: "blocks",
        words: &[Word::Fixed("write"), Word::Data, Word::Number(BLOCKS_LIMIT)],
        unit: Unit::GibibytesPerSecond,
        targets: &[Target::Speed(0.9)],
        floor: Some(Floor::Blocks(Direction::Write)),
        ..COMPUTE
    },
    Measure {
        name: "idle",
        title: "private memory of an idle process",
        guest: "idle",
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
    fn targets_compare_the_right_way_round() {
        let speed = Target::Speed(0.98);
        assert!(speed.met(speed.combine(100.0, 99.0)));
        assert!(!speed.met(speed.combine(100.0, 97.0)));
        let times = Target::Times(1.2);
        assert!(times.met(times.combine(119.0, 100.0)));
        assert!(!times.met(times.combine(121.0, 100.0)));
        let above = Target::Above(5.0);
        assert!(above.met(above.combine(15.0, 10.0)));
        assert!(!above.met(above.combine(15.5, 10.0)));
    }

    #[test]
    fn units() {
        assert_eq!(Unit::Milliseconds.show(2_500_000.0), "2.50 ms");
        assert_eq!(Unit::Mebibytes.show(3072.0), "3.00 MiB");
        // One MiB in 100 µs.
        assert_eq!(Unit::GibibytesPerSecond.show(100_000.0), "9.77 GiB/s");
        let above = Target::Above(1.0);
        assert_eq!(above.show_value(Unit::Milliseconds, -1e6), "−1.00 ms");
        assert_eq!(above.show_value(Unit::Milliseconds, 1e6), "+1.00 ms");
    }

    #[test]
    fn names_are_unique() {
        let mut names: Vec<_> = MEASURES.iter().map(|measure| measure.name).collect();
        names.sort_unstable();
        names.dedup();
        assert_eq!(names.len(), MEASURES.len());
    }
}

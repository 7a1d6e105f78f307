//! Takes the samples of a measure, one after the other from each column, round by round.

use std::fs::{self, File};
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use crate::bare::{self, BareVm, Registers};
use crate::file_floors::{self, Blocks};
use crate::image::Trap;
use crate::measures::{BLOCKS_LIMIT, Floor, Measure, Program, Sample, Word};
use crate::process_floors::THIS_PROGRAM;
use crate::report::chain;
use crate::runner::{self, Guest, Runner};
use crate::target::{FLOOR, ROUND_TRIP};
use crate::thread_floors;

/// Where, below the guests' folder, those with km's own C library are.
const WITH_RUNTIME: &str = "kontain";

/// From here on, another sandbox is run once and not several times.
const SLOW_PEER: Duration = Duration::from_secs(5);

/// What one column gave: its samples, or why there are none.
#[derive(Debug)]
pub struct Column {
    pub name: &'static str,
    pub samples: Result<Vec<f64>, String>,
    /// The guest said that the CPU cannot do it: no failure.
    pub skipped: bool,
}

#[derive(Debug)]
pub struct Outcome {
    pub measure: &'static Measure,
    pub columns: Vec<Column>,
}

impl Outcome {
    pub fn column(&self, name: &str) -> Option<&Column> {
        self.columns.iter().find(|column| column.name == name)
    }

    /// The samples of a column, if it has any.
    pub fn samples(&self, name: &str) -> Option<&[f64]> {
        self.column(name)?.samples.as_deref().ok()
    }
}

#[derive(Debug)]
pub struct Session {
    pub quick: bool,
    pub guests: PathBuf,
    pub payloads: PathBuf,
    pub scratch: PathBuf,
    /// `None` where km cannot be run.
    pub km: Option<PathBuf>,
    pub kvm: bool,
    pub peers: Vec<Runner>,
    pub data: DataFile,
}

/// What takes the samples of a column.
enum Source {
    Runner(Runner, Guest),
    RoundTrip(Box<BareVm>),
    MapRead(PathBuf),
    Blocks(Box<Blocks>, Duration),
    Vcpus(u64),
    PingPong(u64),
}

/// A column's name, what takes its samples, and in how many rounds.
type Turn = (&'static str, Result<Source, bare::Error>, u64);

impl Session {
    pub fn measure(&self, measure: &'static Measure) -> io::Result<Outcome> {
        let pairs = measure.pairs.of(self.quick);
        let mut sources = self.sources(measure)?;
        let mut columns = Vec::new();
        for (name, source, runs) in &mut sources {
            let start = Instant::now();
            let first = match source {
                Ok(source) => source.warm_up(measure),
                Err(error) => Err((chain(error), false)),
            };
            let mut skipped = false;
            let samples = match first {
                // So slow that warmth makes no difference: the one run is enough.
                Ok(value) if *runs < pairs && start.elapsed() > SLOW_PEER => {
                    *runs = 0;
                    Ok(vec![value])
                }
                Ok(_) => Ok(Vec::new()),
                Err((why, not_here)) => {
                    skipped = not_here;
                    Err(why)
                }
            };
            columns.push(Column {
                name,
                samples,
                skipped,
            });
        }
        for round in 0..pairs {
            for ((_, source, runs), column) in sources.iter_mut().zip(&mut columns) {
                let (Ok(source), Ok(samples)) = (source, &mut column.samples) else {
                    continue;
                };
                if round >= *runs {
                    continue;
                }
                match source.sample(measure) {
                    Ok(value) => samples.push(value),
                    Err((why, _)) => column.samples = Err(why),
                }
            }
        }
        Ok(Outcome { measure, columns })
    }

    /// The columns of a measure, in the order in which they take turns.
    fn sources(&self, measure: &Measure) -> io::Result<Vec<Turn>> {
        let guest = self.guest(measure, &self.guests)?;
        let pairs = measure.pairs.of(self.quick);
        let peer_runs = measure.peer_runs.of(self.quick);
        let with = |runner: Runner, guest: &Guest, runs| {
            let name = runner.name();
            (name, Ok(Source::Runner(runner, guest.clone())), runs)
        };
        let of = |runner, runs| with(runner, &guest, runs);

        let mut sources = vec![of(Runner::Native, pairs)];
        if let Some(km) = &self.km {
            sources.push(of(Runner::Km(km.clone()), pairs));
            if matches!(measure.program, Program::Guest(_)) {
                let guest = self.guest(measure, &self.guests.join(WITH_RUNTIME))?;
                sources.push(with(Runner::Runtime(km.clone()), &guest, pairs));
            }
        }
        match measure.floor.filter(|_| self.kvm) {
            None => {}
            Some(Floor::Process | Floor::Children) => {
                sources.push(of(Runner::BareProcess(THIS_PROGRAM.into()), pairs));
            }
            Some(Floor::RoundTrip) => sources.push((FLOOR, Source::round_trip(), pairs)),
            Some(Floor::Vcpu(count)) => {
                let source = Source::Vcpus(count.of(self.quick));
                sources.push((FLOOR, Ok(source), pairs));
            }
            Some(Floor::PingPong(turns)) => {
                let source = Source::PingPong(turns.of(self.quick));
                sources.push((FLOOR, Ok(source), pairs));
            }
            Some(Floor::MapRead) => {
                let path = guest.data.clone().unwrap_or_default();
                sources.push((FLOOR, Ok(Source::MapRead(path)), pairs));
            }
            Some(Floor::Blocks(direction)) => {
                let path = guest.data.as_deref().unwrap_or(Path::new(""));
                let limit = Duration::from_millis(BLOCKS_LIMIT.of(self.quick));
                let blocks = Blocks::new(path, direction)
                    .map(|blocks| Source::Blocks(Box::new(blocks), limit));
                sources.push((FLOOR, blocks, pairs));
            }
        }
        let mut scales = measure.targets.iter().filter_map(|target| target.scale());
        if self.kvm && scales.any(|scale| scale == ROUND_TRIP) {
            sources.push((ROUND_TRIP, Source::round_trip(), pairs));
        }
        if peer_runs > 0 {
            sources.extend(self.peers.iter().cloned().map(|peer| of(peer, peer_runs)));
        }
        Ok(sources)
    }

    /// Whether what `measure` runs is built.
    pub fn has_program(&self, measure: &Measure) -> bool {
        self.program(measure, &self.guests).is_file()
    }

    fn program(&self, measure: &Measure, guests: &Path) -> PathBuf {
        match measure.program {
            Program::Guest(name) => guests.join(name),
            Program::Payload(path) => self.payloads.join(path),
        }
    }

    /// What `measure` runs, the guest programs being in `guests`.
    fn guest(&self, measure: &Measure, guests: &Path) -> io::Result<Guest> {
        let mut data = None;
        let mut args = Vec::new();
        for word in measure.words {
            args.push(match word {
                Word::Fixed(word) => (*word).to_owned(),
                Word::Number(amount) => amount.of(self.quick).to_string(),
                Word::Guest(name) => guests.join(name).to_string_lossy().into_owned(),
                Word::Data => {
                    let path = self.data.create(self.quick)?;
                    let text = path.to_string_lossy().into_owned();
                    data = Some(path);
                    text
                }
            });
        }
        Ok(Guest {
            program: self.program(measure, guests),
            args,
            data,
            scratch: self.scratch.clone(),
        })
    }
}

/// What went wrong, and whether that only means "not on this CPU".
type Trouble = (String, bool);

fn trouble(error: &runner::Error) -> Trouble {
    (chain(error), matches!(error, runner::Error::Skipped))
}

impl Source {
    fn round_trip() -> Result<Self, bare::Error> {
        let vm = BareVm::new(Trap::SyscallOut, Registers::Synced)?;
        Ok(Self::RoundTrip(Box::new(vm)))
    }

    /// One run that does not count: it fills caches, and shows whether it works at all.
    fn warm_up(&mut self, measure: &Measure) -> Result<f64, Trouble> {
        if let Self::Runner(runner, guest) = self {
            runner.prepare(guest).map_err(|error| trouble(&error))?;
            if let Sample::WholeRun(wanted) = measure.sample
                && !matches!(runner, Runner::BareProcess(_))
            {
                runner
                    .check_whole_run(guest, wanted)
                    .map_err(|error| trouble(&error))?;
            }
        }
        self.sample(measure)
    }

    fn sample(&mut self, measure: &Measure) -> Result<f64, Trouble> {
        let of_bare_vm = match self {
            Self::Runner(runner, guest) => {
                return runner
                    .sample(guest, measure.sample)
                    .map_err(|error| trouble(&error));
            }
            Self::RoundTrip(vm) => vm.round_trip(Duration::from_millis(100)),
            Self::MapRead(path) => file_floors::map_read(path),
            Self::Blocks(blocks, limit) => blocks.nanoseconds_each(*limit),
            Self::Vcpus(count) => thread_floors::further_vcpus(*count),
            Self::PingPong(turns) => thread_floors::ping_pong(*turns),
        };
        of_bare_vm.map_err(|error| (chain(&error), false))
    }
}

const DATA_PREFIX: &str = "km-bench-";

/// The file that guests read and write, in a directory of its own; removed at the end.
#[derive(Debug)]
pub struct DataFile {
    directory: PathBuf,
}

impl DataFile {
    /// Below `parent`, or in memory where the system has a place for that.
    pub fn new(parent: Option<PathBuf>) -> Self {
        let parent = parent.unwrap_or_else(|| {
            let shared_memory = PathBuf::from("/dev/shm");
            if shared_memory.is_dir() {
                shared_memory
            } else {
                std::env::temp_dir()
            }
        });
        remove_left_behind(&parent);
        Self {
            directory: parent.join(format!("{DATA_PREFIX}{}", std::process::id())),
        }
    }

    /// Made when first asked for; its pages stay in memory, as they were just written.
    fn create(&self, quick: bool) -> io::Result<PathBuf> {
        let path = self.directory.join("data");
        if path.exists() {
            return Ok(path);
        }
        fs::create_dir_all(&self.directory)?;
        let mut file = File::create(&path)?;
        let block = vec![1; 1 << 20];
        let blocks = if quick { 128 } else { 1024 };
        for _ in 0..blocks {
            file.write_all(&block)?;
        }
        Ok(path)
    }
}

/// What an interrupted run left in `parent` keeps a gigabyte of memory.
fn remove_left_behind(parent: &Path) {
    for entry in fs::read_dir(parent).into_iter().flatten().flatten() {
        let name = entry.file_name();
        let process = name
            .to_str()
            .and_then(|name| name.strip_prefix(DATA_PREFIX)?.parse::<u32>().ok());
        if process.is_some_and(|id| !Path::new(&format!("/proc/{id}")).exists()) {
            // Not ours to remove, perhaps; it does not stand in the way either.
            let _ = fs::remove_dir_all(entry.path());
        }
    }
}

impl Drop for DataFile {
    fn drop(&mut self) {
        // Nothing to be done about a failure but to leave the directory behind.
        let _ = fs::remove_dir_all(&self.directory);
    }
}

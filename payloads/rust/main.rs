//! What Rust's standard library asks of a system, a check an argument. Each
//! prints the same at every run.

use std::collections::{BTreeMap, HashMap};
use std::env;
use std::fs::{self, File, OpenOptions};
use std::io::{self, BufRead, BufReader, BufWriter, Read, Seek, SeekFrom, Write};
use std::net::{TcpListener, TcpStream, UdpSocket};
use std::os::unix::fs::{symlink, FileExt, PermissionsExt};
use std::os::unix::net::UnixStream;
use std::os::unix::process::{CommandExt, ExitStatusExt};
use std::panic::{self, AssertUnwindSafe};
use std::process::{Command, ExitCode, Stdio};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::mpsc::{self, RecvTimeoutError};
use std::sync::{Arc, Barrier, Condvar, Mutex, OnceLock, RwLock};
use std::thread;
use std::time::{Duration, Instant};

type Outcome = Result<(), Box<dyn std::error::Error>>;

const CHECKS: [(&str, fn() -> Outcome); 8] = [
    ("channels", channels),
    ("files", files),
    ("locks", locks),
    ("memory", memory),
    ("network", network),
    ("panics", panics),
    ("processes", processes),
    ("threads", threads),
];

fn main() -> ExitCode {
    let names: Vec<String> = env::args().skip(1).collect();
    if names.first().is_some_and(|name| name == "child") {
        return child();
    }
    for name in &names {
        let Some((_, check)) = CHECKS.iter().find(|(known, _)| known == name) else {
            eprintln!("no check {name}");
            return ExitCode::from(2);
        };
        println!("-- {name}");
        if let Err(error) = check() {
            println!("failed: {error}");
            return ExitCode::FAILURE;
        }
    }
    ExitCode::SUCCESS
}

/// The program as its own child: repeats its input in capitals.
fn child() -> ExitCode {
    let text = io::read_to_string(io::stdin()).unwrap_or_default();
    print!("{}", text.to_uppercase());
    eprintln!("{}", env::var("WORD").unwrap_or("no word".into()));
    ExitCode::from(7)
}

/// Producers and one consumer; a bounded channel; a time limit that passes.
fn channels() -> Outcome {
    let (sender, receiver) = mpsc::channel();
    for producer in 0..8u64 {
        let sender = sender.clone();
        thread::spawn(move || {
            (0..500).for_each(|n| sender.send(producer * 1000 + n).unwrap_or(()))
        });
    }
    drop(sender);
    let (count, sum) = receiver
        .iter()
        .fold((0, 0), |(count, sum), n| (count + 1, sum + n));
    println!("{count} values, sum {sum}");

    let (sender, receiver) = mpsc::sync_channel(2);
    let producer = thread::spawn(move || (0..100).try_for_each(|n| sender.send(n)).is_err());
    println!("taken {:?}", receiver.iter().take(5).collect::<Vec<i32>>());
    drop(receiver);
    println!(
        "the producer sees the end: {}",
        producer.join().is_ok_and(|ended| ended)
    );

    let (sender, receiver) = mpsc::channel::<()>();
    let limit = Duration::from_millis(30);
    let begun = Instant::now();
    println!(
        "{:?}, late enough: {}",
        receiver.recv_timeout(limit),
        begun.elapsed() >= limit
    );
    drop(sender);
    println!(
        "{:?}",
        receiver.recv_timeout(limit) == Err(RecvTimeoutError::Disconnected)
    );
    Ok(())
}

/// Files, folders, links, rights; reading and writing at places.
fn files() -> Outcome {
    let folder = env::current_dir()?.join("files");
    let _ = fs::remove_dir_all(&folder);
    fs::create_dir_all(folder.join("a/b"))?;
    let path = folder.join("a/numbers");
    let mut writer = BufWriter::new(File::create(&path)?);
    for n in 0..20_000 {
        writeln!(writer, "{n:05} {}", n * n)?;
    }
    writer.into_inner()?.sync_all()?;
    let mut file = OpenOptions::new().read(true).write(true).open(&path)?;
    let sum: usize = BufReader::new(&file)
        .lines()
        .map_while(Result::ok)
        .filter_map(|line| line.split(' ').nth(1)?.parse::<usize>().ok())
        .sum();
    println!("{} bytes, sum {sum}", file.metadata()?.len());
    file.write_all_at(b"abcde", 6 * 3)?;
    file.seek(SeekFrom::Start(16))?;
    let mut bytes = [0; 8];
    file.read_exact(&mut bytes)?;
    println!("{}", String::from_utf8_lossy(&bytes));
    file.set_len(100)?;
    fs::set_permissions(&path, fs::Permissions::from_mode(0o640))?;
    symlink("numbers", folder.join("a/link"))?;
    fs::copy(folder.join("a/link"), folder.join("copy"))?;
    fs::hard_link(&path, folder.join("a/b/hard"))?;
    fs::rename(folder.join("copy"), folder.join("moved"))?;
    let metadata = fs::metadata(folder.join("moved"))?;
    println!("{} {:o}", metadata.len(), metadata.permissions().mode());
    let mut names = Vec::new();
    let mut folders = vec![folder.clone()];
    while let Some(next) = folders.pop() {
        for entry in fs::read_dir(next)? {
            let path = entry?.path();
            names.push(path.strip_prefix(&folder)?.display().to_string());
            if path.is_dir() && !path.is_symlink() {
                folders.push(path);
            }
        }
    }
    names.sort();
    println!("{names:?}");
    for missing in ["missing", "moved/below", "a"] {
        match File::options().write(true).open(folder.join(missing)) {
            Ok(_) => println!("{missing} opened"),
            Err(error) => println!("{missing}: {error}"),
        }
    }
    Ok(fs::remove_dir_all(folder)?)
}

/// Eight threads over each kind of lock.
fn locks() -> Outcome {
    static ONCE: OnceLock<usize> = OnceLock::new();
    static MADE: AtomicUsize = AtomicUsize::new(0);
    let words: Arc<RwLock<HashMap<usize, usize>>> = Arc::default();
    let turn = Arc::new((Mutex::new(0), Condvar::new()));
    let barrier = Arc::new(Barrier::new(8));
    let threads: Vec<_> = (0..8)
        .map(|me| {
            let (words, turn, barrier) = (words.clone(), turn.clone(), barrier.clone());
            thread::spawn(move || {
                barrier.wait();
                ONCE.get_or_init(|| MADE.fetch_add(1, Ordering::Relaxed) + 1);
                for n in 0..300 {
                    let read = words.read().map_or(0, |words| words.len());
                    if let Ok(mut words) = words.write() {
                        *words.entry((n + read) % 1).or_default() += 1;
                    }
                }
                // In a ring, ten times around.
                let (mutex, changed) = &*turn;
                for round in 0..10 {
                    let whose = mutex.lock().unwrap_or_else(|poison| poison.into_inner());
                    let mut whose = changed
                        .wait_while(whose, |whose| *whose != round * 8 + me)
                        .unwrap_or_else(|poison| poison.into_inner());
                    *whose += 1;
                    changed.notify_all();
                }
            })
        })
        .collect();
    let ended = threads
        .into_iter()
        .filter_map(|thread| thread.join().ok())
        .count();
    let sum: usize = words.read().map_or(0, |words| words.values().sum());
    let turns = turn.0.lock().map_or(0, |turn| *turn);
    println!(
        "{ended} threads, {sum} writes, {turns} turns, made {:?} time",
        ONCE.get()
    );
    Ok(())
}

/// Much memory, in blocks small and large, that moves as it grows.
fn memory() -> Outcome {
    let mut kept = BTreeMap::new();
    let mut state = 42u64;
    for n in 0..60_000u64 {
        state = state
            .wrapping_mul(6364136223846793005)
            .wrapping_add(1442695040888963407);
        kept.insert(state >> 44, vec![n as u8; (state >> 32) as usize % 600]);
        if n % 3 == 0 {
            kept.pop_first();
        }
    }
    let bytes: usize = kept.values().map(Vec::len).sum();
    println!("{} blocks, {bytes} bytes", kept.len());
    let mut grown: Vec<u32> = Vec::new();
    (0..8_000_000).for_each(|n| grown.push(n ^ 0x5555));
    println!(
        "{}",
        grown.iter().fold(0u64, |sum, n| sum
            .wrapping_mul(31)
            .wrapping_add(u64::from(*n)))
    );
    Ok(())
}

/// A server and its clients over TCP; datagrams; a pair of sockets.
fn network() -> Outcome {
    let listener = TcpListener::bind("127.0.0.1:0")?;
    let address = listener.local_addr()?;
    let server = thread::spawn(move || -> io::Result<usize> {
        let mut clients = Vec::new();
        for client in listener.incoming().take(8) {
            let mut client = client?;
            clients.push(thread::spawn(move || {
                let mut lines = 0;
                let reader = client.try_clone().map(BufReader::new).into_iter();
                for line in reader.flat_map(BufRead::lines).map_while(Result::ok) {
                    let answer: String = line.chars().rev().collect();
                    lines += usize::from(writeln!(client, "{answer}").is_ok());
                }
                lines
            }));
        }
        Ok(clients
            .into_iter()
            .filter_map(|client| client.join().ok())
            .sum())
    });
    let clients: Vec<_> = (0..8)
        .map(|me| {
            thread::spawn(move || -> io::Result<bool> {
                let mut stream = TcpStream::connect(address)?;
                stream.set_nodelay(true)?;
                let mut answers = BufReader::new(stream.try_clone()?);
                let mut good = true;
                for n in 0..40 {
                    writeln!(stream, "{me} {n}")?;
                    let mut answer = String::new();
                    answers.read_line(&mut answer)?;
                    good &= answer
                        .trim_end()
                        .chars()
                        .rev()
                        .eq(format!("{me} {n}").chars());
                }
                Ok(good)
            })
        })
        .collect();
    let good = clients
        .into_iter()
        .filter_map(|client| client.join().ok()?.ok())
        .filter(|good| *good)
        .count();
    println!(
        "{good} clients, {:?} lines",
        server.join().map_err(|_| "the server panicked")??
    );

    let receiver = UdpSocket::bind("127.0.0.1:0")?;
    receiver.set_read_timeout(Some(Duration::from_millis(50)))?;
    let sender = UdpSocket::bind("127.0.0.1:0")?;
    sender.send_to(b"datagram", receiver.local_addr()?)?;
    let mut bytes = [0; 64];
    let (length, from) = receiver.recv_from(&mut bytes)?;
    println!(
        "{} {}",
        String::from_utf8_lossy(&bytes[..length]),
        from == sender.local_addr()?
    );
    println!(
        "{:?}",
        receiver.recv(&mut bytes).map_err(|error| error.kind())
    );

    let (mut left, mut right) = UnixStream::pair()?;
    left.write_all(b"across")?;
    drop(left);
    let mut text = String::new();
    right.read_to_string(&mut text)?;
    println!("{text}");
    let closed = TcpStream::connect(address)
        .map(|_| ())
        .map_err(|error| error.kind());
    println!("{closed:?}");
    Ok(())
}

struct Noted<'a>(&'a AtomicUsize);

impl Drop for Noted<'_> {
    fn drop(&mut self) {
        self.0.fetch_add(1, Ordering::Relaxed);
    }
}

/// Panics that unwind through frames, and across the end of a thread.
fn panics() -> Outcome {
    panic::set_hook(Box::new(|_| {}));
    fn deep(depth: usize, dropped: &AtomicUsize, list: &[usize]) -> usize {
        let _noted = Noted(dropped);
        if depth == 0 {
            list[list.len()]
        } else {
            deep(depth - 1, dropped, list) + 1
        }
    }
    let dropped = AtomicUsize::new(0);
    for _ in 0..200 {
        let caught = panic::catch_unwind(AssertUnwindSafe(|| deep(50, &dropped, &[1, 2, 3])));
        if caught.is_ok() {
            return Err("no panic".into());
        }
    }
    println!("{} frames unwound", dropped.load(Ordering::Relaxed));
    let divisor = env::args().len() as i32 - env::args().len() as i32;
    println!("division: {}", panic::catch_unwind(|| 1 / divisor).is_err());
    let mutex = Arc::new(Mutex::new(0));
    let poisoner = thread::spawn({
        let mutex = mutex.clone();
        move || {
            let _held = mutex.lock();
            panic!("while it is held")
        }
    });
    let payload = poisoner.join().err();
    let said =
        payload.and_then(|payload| payload.downcast_ref::<&str>().map(|text| text.to_string()));
    println!("{said:?}, poisoned: {}", mutex.is_poisoned());
    let _ = panic::take_hook();
    Ok(())
}

/// Children: pipes, exit codes, signals, and what cannot be started.
fn processes() -> Outcome {
    let this = env::current_exe()?;
    let mut running = Command::new(&this)
        .arg("child")
        .env("WORD", "a word")
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()?;
    let input = running.stdin.take();
    let writer = thread::spawn(move || {
        input.map(|mut input| input.write_all(&b"many words ".repeat(20_000)))
    });
    let output = running.wait_with_output()?;
    writer.join().map_err(|_| "the writer panicked")?;
    println!(
        "{} {:?} {:?}",
        output.stdout.len(),
        String::from_utf8_lossy(&output.stderr),
        output.status.code()
    );
    let shell = Command::new("sh")
        .args(["-c", "echo to the shell; kill -9 $$"])
        .output()?;
    println!(
        "{:?} {:?}",
        String::from_utf8_lossy(&shell.stdout),
        shell.status.signal()
    );
    let mut sleeper = Command::new("sleep").arg("100").process_group(0).spawn()?;
    println!("{:?}", sleeper.try_wait()?.is_none());
    sleeper.kill()?;
    println!("{:?}", sleeper.wait()?.signal());
    println!(
        "{:?}",
        Command::new("/no/such/program")
            .spawn()
            .map(|_| ())
            .map_err(|error| error.kind())
    );
    let children: Vec<_> = (0..6)
        .map(|n| {
            Command::new("sh")
                .args(["-c", &format!("exit {n}")])
                .spawn()
        })
        .collect::<Result<_, _>>()?;
    let mut sum = 0;
    for mut child in children {
        sum += child.wait()?.code().unwrap_or(100);
    }
    println!("{sum}");
    Ok(())
}

thread_local! {
    static MINE: std::cell::Cell<usize> = const { std::cell::Cell::new(0) };
}

/// Threads that are many, scoped, parked, named, and deep.
fn threads() -> Outcome {
    let mut sums = vec![0usize; 16];
    thread::scope(|scope| {
        for (me, sum) in sums.iter_mut().enumerate() {
            scope.spawn(move || {
                (0..1000).for_each(|n| MINE.set(MINE.get() + n * me));
                *sum = MINE.get();
            });
        }
    });
    println!("{} {}", sums.iter().sum::<usize>(), MINE.get());
    let ended: usize = (0..200)
        .map(|n| thread::spawn(move || n).join())
        .filter_map(Result::ok)
        .sum();
    println!("{ended}");
    let parked = thread::Builder::new()
        .name("parked".into())
        .stack_size(16 << 20)
        .spawn(|| {
            thread::park();
            fn depth(n: usize) -> usize {
                let room = [n as u8; 100];
                if n == 0 {
                    0
                } else {
                    depth(n - 1) + usize::from(std::hint::black_box(room)[9] == n as u8)
                }
            }
            (depth(40_000), thread::current().name().map(str::to_owned))
        })?;
    thread::sleep(Duration::from_millis(10));
    parked.thread().unpark();
    println!("{:?}", parked.join().map_err(|_| "it panicked")?);
    println!("{}", thread::available_parallelism()?.get() > 0);
    Ok(())
}

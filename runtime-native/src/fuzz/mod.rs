//! The parsers of foreign bytes on changed inputs. As a plain test each target runs for about a second; `npm run fuzz`
//! sets how long or how often, and the seed, by environment.

mod dice;
mod frames;
mod mutate;

use std::collections::HashSet;
use std::env;
use std::fs;
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::{Duration, Instant};

pub use self::dice::Dice;
pub use self::mutate::{mutated, unchanged};

/// Of a plain test.
const SHORT: Duration = Duration::from_millis(700);
/// Far more than any execution takes on a machine that is busy.
const STUCK: Duration = Duration::from_secs(60);
/// Inputs that ended in a new way are kept to be changed further, at most so many.
const KEPT: usize = 1000;
/// Most memory that a target may come to.
const PEAK_BYTES: usize = 512 << 20;

/// Runs `parse` on the seeds, on the corpus of `name` and then on inputs made of those by `change`. It says in few words
/// how an input ended, and panics when a property does not hold; such an input becomes a file of the corpus.
pub fn fuzz(
    name: &str,
    seeds: &[Vec<u8>],
    change: impl Fn(&[Vec<u8>], &mut Dice) -> Vec<u8>,
    parse: impl Fn(&[u8], &mut Dice) -> String,
) {
    if let Ok(path) = env::var("BERTH_FUZZ_INPUT") {
        let input = fs::read(path).unwrap();
        println!("{name}: {}", parse(&input, &mut Dice::of(&input)));
        return;
    }
    let given: Vec<_> = seeds.iter().cloned().chain(corpus(name)).collect();
    let bounds = Bounds::read();
    let watch = Watch::start(name, bounds.seed);
    let mut dice = Dice::new(bounds.seed);
    let mut inputs = given.clone();
    let mut endings = HashSet::new();
    let (begun, mut executions) = (Instant::now(), 0);
    while executions < given.len() as u64 || (executions < bounds.executions && begun.elapsed() < bounds.time) {
        let input = given.get(executions as usize).cloned().unwrap_or_else(|| change(&inputs, &mut dice));
        let mut own = Dice::of(&input);
        watch.begin(&input);
        let ending = catch_unwind(AssertUnwindSafe(|| parse(&input, &mut own))).unwrap_or_else(|panic| {
            eprintln!("{name}, seed {}, execution {executions}, input {}", bounds.seed, keep(name, &input).display());
            resume_unwind(panic)
        });
        executions += 1;
        if endings.len() < KEPT && endings.insert(ending) && executions > given.len() as u64 {
            inputs.push(input);
        }
    }
    watch.end();
    let (seconds, peak, seed) = (begun.elapsed().as_secs(), peak_bytes(), bounds.seed);
    let mebibytes = peak >> 20;
    println!("{name}: {executions} executions, {} endings, {seconds} s, {mebibytes} MiB, seed {seed}", endings.len());
    // Other tests of the same process count too, unless the target runs alone.
    assert!(peak <= PEAK_BYTES || env::var_os("BERTH_FUZZ").is_none(), "{mebibytes} MiB of memory");
}

struct Bounds {
    executions: u64,
    time: Duration,
    seed: u64,
}

impl Bounds {
    fn read() -> Self {
        let number = |name: &str| env::var(name).ok().map(|text| text.parse::<u64>().unwrap());
        let executions = number("BERTH_FUZZ_EXECUTIONS");
        let unlimited = if executions.is_some() { Duration::MAX } else { SHORT };
        Self {
            executions: executions.unwrap_or(u64::MAX),
            time: number("BERTH_FUZZ_SECONDS").map_or(unlimited, Duration::from_secs),
            seed: number("BERTH_SEED").unwrap_or_else(|| u64::from(std::process::id())),
        }
    }
}

/// A thread that ends the process when one execution does not end.
struct Watch {
    input: Arc<Mutex<(Vec<u8>, Instant)>>,
    over: Arc<AtomicBool>,
}

impl Watch {
    fn start(name: &str, seed: u64) -> Self {
        let watch =
            Self { input: Arc::new(Mutex::new((Vec::new(), Instant::now()))), over: Arc::new(AtomicBool::new(false)) };
        let (input, over, name) = (watch.input.clone(), watch.over.clone(), name.to_owned());
        thread::spawn(move || {
            while !over.load(Ordering::Relaxed) {
                thread::sleep(Duration::from_millis(500));
                let (bytes, begun) = input.lock().unwrap().clone();
                if begun.elapsed() > STUCK && !over.load(Ordering::Relaxed) {
                    eprintln!("{name}, seed {seed}: an input takes for ever: {}", keep(&name, &bytes).display());
                    std::process::abort();
                }
            }
        });
        watch
    }

    fn begin(&self, input: &[u8]) {
        let mut now = self.input.lock().unwrap();
        now.0.clear();
        now.0.extend_from_slice(input);
        now.1 = Instant::now();
    }

    fn end(&self) {
        self.over.store(true, Ordering::Relaxed);
    }
}

impl Drop for Watch {
    fn drop(&mut self) {
        self.end();
    }
}

fn folder(name: &str) -> PathBuf {
    PathBuf::from(concat!(env!("CARGO_MANIFEST_DIR"), "/../fuzz/corpus")).join(name)
}

fn corpus(name: &str) -> Vec<Vec<u8>> {
    let Ok(entries) = fs::read_dir(folder(name)) else { return Vec::new() };
    let mut paths: Vec<_> = entries.map(|entry| entry.unwrap().path()).collect();
    paths.sort();
    paths.iter().map(|path| fs::read(path).unwrap()).collect()
}

fn keep(name: &str, input: &[u8]) -> PathBuf {
    let digest = ring::digest::digest(&ring::digest::SHA256, input);
    fs::create_dir_all(folder(name)).unwrap();
    let path = folder(name).join(format!("crash-{}", crate::unpack::hex(&digest.as_ref()[..8])));
    fs::write(&path, input).unwrap();
    path
}

fn peak_bytes() -> usize {
    let status = fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"));
    line.and_then(|rest| rest.split_whitespace().next()?.parse::<usize>().ok()).map_or(0, |kibibytes| kibibytes << 10)
}

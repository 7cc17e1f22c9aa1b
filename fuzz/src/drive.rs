//! How does a target run without libFuzzer? Its seeds are replayed, then mutated until the time is over.
//!
//! `NAME [--seconds N] [--seed N] [FILE…]`: files are replayed instead. A counterexample is written to
//! `artifacts/NAME/`, from where it can be replayed; once its cause is gone it becomes a seed.

use crate::Outcome;
use crate::mutate::Mutator;
use std::collections::HashSet;
use std::collections::hash_map::DefaultHasher;
use std::hash::{Hash, Hasher};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::{Duration, Instant};
use std::{env, fs};

/// Inputs that are kept for mutation.
const MAX_CORPUS: usize = 2_000;
/// Executions between two looks at the clock.
const STRIDE: u32 = 32;

struct Options {
    seconds: u64,
    seed: u64,
    files: Vec<PathBuf>,
}

impl Options {
    fn read() -> Result<Self, String> {
        let mut options = Self { seconds: 4, seed: 1, files: Vec::new() };
        let mut arguments = env::args().skip(1);
        while let Some(argument) = arguments.next() {
            let mut number = || {
                let value = arguments.next().and_then(|value| value.parse().ok());
                value.ok_or_else(|| format!("{argument} needs a number"))
            };
            match argument.as_str() {
                "--seconds" => options.seconds = number()?,
                "--seed" => options.seed = number()?,
                file => options.files.push(file.into()),
            }
        }
        Ok(options)
    }
}

/// Runs the target `name`; fails on a counterexample.
pub fn main(name: &str, property: fn(&[u8]) -> Outcome) -> ExitCode {
    match Options::read().and_then(|options| run(name, property, &options)) {
        Ok(report) => {
            println!("{name}: {report}");
            ExitCode::SUCCESS
        }
        Err(error) => {
            eprintln!("{name}: {error}");
            ExitCode::FAILURE
        }
    }
}

fn run(name: &str, property: fn(&[u8]) -> Outcome, options: &Options) -> Result<String, String> {
    let here = Path::new(env!("CARGO_MANIFEST_DIR"));
    let files = if options.files.is_empty() { seeds(&here.join("seeds").join(name))? } else { options.files.clone() };
    let read = |file: &PathBuf| fs::read(file).map_err(|error| format!("{}: {error}", file.display()));
    let mut corpus = files.iter().map(read).collect::<Result<Vec<_>, _>>()?;

    let judge = |input: &[u8]| match catch_unwind(AssertUnwindSafe(|| property(input))) {
        Ok(outcome) => Ok(outcome),
        Err(_) => Err(report_counterexample(&here.join("artifacts").join(name), input)),
    };
    let mut seen = HashSet::new();
    for input in &corpus {
        seen.insert(judge(input)?);
    }
    if !options.files.is_empty() {
        return Ok(format!("{} inputs replayed: {seen:?}", corpus.len()));
    }
    let mut mutator = Mutator::new(options.seed, &corpus);
    let (began, time) = (Instant::now(), Duration::from_secs(options.seconds));
    let mut executions = 0_u64;
    while began.elapsed() < time {
        for _ in 0..STRIDE {
            let input = mutator.next(&corpus);
            executions += 1;
            if seen.insert(judge(&input)?) && corpus.len() < MAX_CORPUS && input.len() <= 4096 {
                corpus.push(input);
            }
        }
    }
    Ok(format!(
        "held for {} seeds and {executions} mutations of them (seed {}); {} outcomes",
        files.len(),
        options.seed,
        seen.len()
    ))
}

fn seeds(folder: &Path) -> Result<Vec<PathBuf>, String> {
    let wrong = |error: std::io::Error| format!("{}: {error}", folder.display());
    let mut files = Vec::new();
    for entry in fs::read_dir(folder).map_err(wrong)? {
        files.push(entry.map_err(wrong)?.path());
    }
    files.sort_unstable();
    if files.is_empty() { Err(format!("{} has no seeds", folder.display())) } else { Ok(files) }
}

fn report_counterexample(folder: &Path, input: &[u8]) -> String {
    let mut hasher = DefaultHasher::new();
    input.hash(&mut hasher);
    let file = folder.join(format!("{:016x}", hasher.finish()));
    let written = fs::create_dir_all(folder).and_then(|()| fs::write(&file, input));
    let place = written.map_or_else(|error| format!("could not be written: {error}"), |()| file.display().to_string());
    format!("COUNTEREXAMPLE ({place}): {}", input.escape_ascii())
}

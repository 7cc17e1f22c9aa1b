//! How are the parsers attacked? Each file of `fuzz_targets/` states one property of one parser, as [`target!`].
//!
//! Two machines search for a counterexample. `cargo fuzz run NAME` compiles the file for libFuzzer, which is guided by
//! coverage and needs a nightly toolchain. `run-smoke.sh` compiles the same file into a program with [`drive::main`], which
//! replays the seeds and mutates them, blindly but for the outcomes that the property reports; a stable toolchain does.

pub mod drive;
mod mutate;
pub mod workshop;

/// What a property reports: in which of its ways an input went. A way not seen before makes the input worth mutating.
pub type Outcome = String;

/// States the property of a fuzz target: a closure from bytes to an [`Outcome`] that panics on a counterexample.
#[macro_export]
macro_rules! target {
    ($property:expr) => {
        #[cfg(fuzzing)]
        libfuzzer_sys::fuzz_target!(|data: &[u8]| {
            let property: fn(&[u8]) -> $crate::Outcome = $property;
            property(data);
        });

        #[cfg(not(fuzzing))]
        fn main() -> std::process::ExitCode {
            $crate::drive::main(env!("CARGO_BIN_NAME"), $property)
        }
    };
}

/// The input as text, for parsers of text.
pub fn text(data: &[u8]) -> Option<&str> {
    std::str::from_utf8(data).ok()
}

/// The name of an enum's variant, without what it holds.
pub fn variant(value: &impl std::fmt::Debug) -> Outcome {
    let text = format!("{value:?}");
    text.split(['(', '{', ' ']).next().unwrap_or_default().to_owned()
}

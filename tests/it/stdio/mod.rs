//! A program on its standard input and output, reached by many clients of both eras.

mod child;
pub mod client;
mod asks;
mod ends;
mod eras;
mod failures;
mod life;
mod sessions;

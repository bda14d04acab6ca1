//! Integration tests: one binary, one module a subject.

#![allow(clippy::unwrap_used, reason = "clippy knows helpers of tests as tests only inside `#[test]` functions")]

mod architecture;
mod cases;
mod cli;
mod commands;
mod corpora;
mod evasion;
mod format;
mod guarantee;
mod index;
#[cfg(feature = "service")]
mod service;

//! Integration tests: one binary, one module a subject.

#![allow(clippy::unwrap_used, reason = "clippy knows helpers of tests as tests only inside `#[test]` functions")]

mod architecture;
mod cases;
mod cli;
mod commands;
mod corpora;
mod crashes;
mod damage;
mod dedup;
mod disk;
mod evasion;
mod faults;
mod format;
mod functions;
mod guarantee;
mod hostile;
mod hostile_code;
mod index;
mod kills;
mod lexical;
mod memory;
mod model;
mod removal;
mod renames;
mod reproducible;
mod scale;
#[cfg(feature = "service")]
mod service;
mod traces;
mod twins;
mod workload;

//! The dedup pass: limits how often anything is repeated in a training corpus, and proves every removal.
//!
//! ```text
//! input -> sign -> band-merge -> cluster -> verify -> (functions, passages) -> apply -> kept/, removed.jsonl, cuts.jsonl, report.json
//! ```
//!
//! Stages are pure functions over files of a work folder ([`work`]); [`run::dedup`] does all in order, [`run::run_one`] one part of one. What they compute
//! and why it is right stands in `docs/algorithms.md`, "The dedup pass".
//!
//! Guarantees: a row is removed only for a kept row that is named, whose similarity is computed exactly and is at least the threshold; the
//! result does not depend on threads, memory, parts, or the order of arguments; a killed run goes on where it was.

mod against;
mod apply;
mod band_merge;
mod block_cache;
mod cluster;
mod clusters;
mod code_form;
pub mod context;
mod cuts;
mod decisions;
mod emit;
pub mod facts;
mod file;
mod functions;
mod group;
mod html;
mod input;
mod parallel;
mod passages;
pub mod plan;
mod prefer;
pub mod preset;
pub mod recipe;
mod record;
pub mod report;
pub mod run;
mod sampling;
mod sets;
mod shingles;
mod sign;
mod similarity;
mod staying;
mod verify;
mod watched;
pub mod work;

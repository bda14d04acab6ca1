//! Bands, shingles and thresholds by the names under which they were published.
//!
//! | name | bands x rows | shingle | threshold | source |
//! |---|---|---|---|---|
//! | `ours` | 32 x 8 | 5 words | 0.8 | `docs/algorithms.md` |
//! | `fineweb` | 14 x 8 | 5 words | 0.72 | datatrove, `examples/fineweb.py` |
//! | `slimpajama` | 9 x 13 | 13 characters | 0.8 | Cerebras model zoo, `slimpajama/dedup/to_hash.py` |
//! | `stack` | 25 x 10 | 5 words | 0.7 | BigCode, `near_deduplication` |
//! | `olmo3` | 26 x 11 | 5 words | 0.74 | duplodocus; its tokens are BPE, ours words |
//! | `curator` | 20 x 13 | 24 characters | 0.8 | NeMo Curator, `fuzzy/workflow.py` |
//! | `zyda` | 32 x 4 | 13 words | 0.4 | Zyda, README |
//!
//! Words and characters are those of our normal form, hashes are ours, and every removal is verified, so that a preset finds what its source
//! finds but removes less: only what reaches the threshold.

use serde::{Deserialize, Serialize};

/// What the similarity of two texts is counted in.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Shingle {
    /// Runs of so many words.
    Words(u32),
    /// Runs of so many characters of the normal form, one space between words.
    Characters(u32),
}

/// How candidates are found, and from where on they are similar.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Preset {
    /// Name on the command line.
    pub name: &'static str,
    /// Bands of a signature.
    pub bands: u32,
    /// Slots of a band.
    pub rows: u32,
    /// What is counted.
    pub shingle: Shingle,
    /// Least Jaccard index.
    pub threshold: f64,
}

impl Preset {
    /// All presets; the first is used where none is named.
    pub const ALL: [Self; 7] = [
        Self { name: "ours", bands: 32, rows: 8, shingle: Shingle::Words(5), threshold: 0.8 },
        Self { name: "fineweb", bands: 14, rows: 8, shingle: Shingle::Words(5), threshold: 0.72 },
        Self { name: "slimpajama", bands: 9, rows: 13, shingle: Shingle::Characters(13), threshold: 0.8 },
        Self { name: "stack", bands: 25, rows: 10, shingle: Shingle::Words(5), threshold: 0.7 },
        Self { name: "olmo3", bands: 26, rows: 11, shingle: Shingle::Words(5), threshold: 0.74 },
        Self { name: "curator", bands: 20, rows: 13, shingle: Shingle::Characters(24), threshold: 0.8 },
        Self { name: "zyda", bands: 32, rows: 4, shingle: Shingle::Words(13), threshold: 0.4 },
    ];

    /// Finds a preset by its name.
    pub fn of_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|preset| preset.name == name)
    }
}

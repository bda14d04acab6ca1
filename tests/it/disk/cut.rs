//! What a power cut leaves behind.

use std::collections::BTreeMap;

use super::Event;
use super::tree::{Change, NodeIdx, Tree, write_at};

/// A disk at one moment of its log: what is durable, and what may be lost.
#[derive(Debug, Clone)]
pub(crate) struct Cut {
    durable: Tree,
    pending: Vec<Pending>,
}

#[derive(Debug, Clone)]
struct Pending {
    change: Change,
    /// Its sync failed: no later one makes it durable.
    is_given_up: bool,
}

/// What becomes of a change that was not synced.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Fate {
    Lost,
    Kept,
    /// The first bytes of a write are on disk and the others are not.
    Torn(usize),
    /// A write made the file longer, but where its bytes should be, there are zeros.
    Zeros,
    /// ... there is what stood on these sectors before.
    Garbage,
}

impl Cut {
    /// The disk before the first event of its log.
    pub(crate) fn new(start: Tree) -> Self {
        Self { durable: start, pending: Vec::new() }
    }

    /// Goes past the next event.
    pub(crate) fn advance(&mut self, event: &Event) {
        match event {
            Event::Made(node) => self.durable.push(node.clone()),
            Event::Changed(change) => self.pending.push(Pending { change: change.clone(), is_given_up: false }),
            Event::Synced(node) => {
                let is_durable = |pending: &mut Pending| !pending.is_given_up && pending.change.is_of(*node);
                for pending in self.pending.extract_if(.., is_durable) {
                    self.durable.apply(&pending.change);
                }
            }
            Event::SyncFailed(node) => {
                let of_file = self.pending.iter_mut().filter(|pending| pending.change.is_of(*node));
                of_file.for_each(|pending| pending.is_given_up = true);
            }
            Event::Done => {}
        }
    }

    pub(crate) fn n_pending(&self) -> usize {
        self.pending.len()
    }

    /// Bytes of a pending write; `None` for a change of names.
    pub(crate) fn written_bytes(&self, pending: usize) -> Option<usize> {
        match &self.pending[pending].change {
            Change::Write { bytes, .. } => Some(bytes.len()),
            Change::Link { .. } | Change::Unlink { .. } | Change::Rename { .. } => None,
        }
    }

    /// Makes the disk that is found after the power cut, where each pending change had its fate. A change of names is lost or kept.
    pub(crate) fn image(&self, fate: impl Fn(usize) -> Fate) -> Tree {
        let mut tree = self.durable.clone();
        let mut written: BTreeMap<NodeIdx, Vec<u8>> = BTreeMap::new();
        for (idx, Pending { change, .. }) in self.pending.iter().enumerate() {
            let fate = fate(idx);
            match change {
                _ if fate == Fate::Lost => {}
                Change::Write { node, start, bytes } => {
                    let content =
                        written.entry(*node).or_insert_with(|| tree.file(*node).map_or_else(Vec::new, |f| f.to_vec()));
                    match fate {
                        Fate::Torn(n) => write_at(content, *start, &bytes[..n.min(bytes.len())]),
                        Fate::Zeros => write_at(content, *start, &vec![0; bytes.len()]),
                        Fate::Garbage => write_at(content, *start, &garbage(*start, bytes.len())),
                        Fate::Lost | Fate::Kept => write_at(content, *start, bytes),
                    }
                }
                Change::Link { .. } | Change::Unlink { .. } | Change::Rename { .. } => tree.apply(change),
            }
        }
        for (node, content) in written {
            tree.set_file(node, content);
        }
        tree
    }
}

/// Bytes that look like those of another file.
fn garbage(start: usize, n: usize) -> Vec<u8> {
    let old = b"copytrace-manifest 1 CPYTRACE\n{\"generation\": 4";
    old.iter().copied().cycle().skip(start % old.len()).take(n).collect()
}

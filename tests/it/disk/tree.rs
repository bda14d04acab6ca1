//! What is on a disk: files and folders by number, and names that lead to them.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use copytrace_indexer::index::mmap::FileBytes;
use xxhash_rust::xxh3::{Xxh3, xxh3_64};

/// Number of a file or folder, which keeps it under every name.
pub(crate) type NodeIdx = usize;

/// The index folder.
pub(crate) const ROOT: NodeIdx = 0;

#[derive(Debug, Clone)]
pub(crate) enum Node {
    File(FileBytes),
    Folder(BTreeMap<String, NodeIdx>),
}

/// A change that is durable only after a sync.
#[derive(Debug, Clone)]
pub(crate) enum Change {
    Link { folder: NodeIdx, name: String, node: NodeIdx },
    Unlink { folder: NodeIdx, name: String },
    Rename { from_folder: NodeIdx, from: String, to_folder: NodeIdx, to: String, node: NodeIdx },
    Write { node: NodeIdx, start: usize, bytes: Arc<[u8]> },
}

impl Change {
    /// Tells whether the sync of a file or folder makes it durable.
    pub(crate) fn is_of(&self, synced: NodeIdx) -> bool {
        match self {
            Self::Link { folder, .. } | Self::Unlink { folder, .. } => *folder == synced,
            Self::Rename { from_folder, to_folder, .. } => *from_folder == synced || *to_folder == synced,
            Self::Write { node, .. } => *node == synced,
        }
    }
}

/// Files and folders; cheap to clone.
#[derive(Debug, Clone)]
pub(crate) struct Tree {
    nodes: Vec<Node>,
}

impl Default for Tree {
    fn default() -> Self {
        Self { nodes: vec![Node::Folder(BTreeMap::new())] }
    }
}

impl Tree {
    pub(crate) fn next_node(&self) -> NodeIdx {
        self.nodes.len()
    }

    pub(crate) fn push(&mut self, node: Node) {
        self.nodes.push(node);
    }

    pub(crate) fn folder(&self, node: NodeIdx) -> Option<&BTreeMap<String, NodeIdx>> {
        match &self.nodes[node] {
            Node::Folder(names) => Some(names),
            Node::File(_) => None,
        }
    }

    pub(crate) fn file(&self, node: NodeIdx) -> Option<&FileBytes> {
        match &self.nodes[node] {
            Node::File(bytes) => Some(bytes),
            Node::Folder(_) => None,
        }
    }

    pub(crate) fn find(&self, path: &Path) -> Option<NodeIdx> {
        path.iter().try_fold(ROOT, |node, name| self.folder(node)?.get(name.to_str()?).copied())
    }

    pub(crate) fn apply(&mut self, change: &Change) {
        match change {
            Change::Link { folder, name, node } => self.names(*folder).insert(name.clone(), *node).map_or((), drop),
            Change::Unlink { folder, name } => self.names(*folder).remove(name).map_or((), drop),
            Change::Rename { from_folder, from, to_folder, to, node } => {
                self.names(*from_folder).remove(from);
                self.names(*to_folder).insert(to.clone(), *node);
            }
            Change::Write { node, start, bytes } => {
                let mut content = self.file(*node).map_or_else(Vec::new, |file| file.to_vec());
                write_at(&mut content, *start, bytes);
                self.set_file(*node, content);
            }
        }
    }

    pub(crate) fn set_file(&mut self, node: NodeIdx, content: Vec<u8>) {
        self.nodes[node] = Node::File(FileBytes::from_vec(content));
    }

    fn names(&mut self, folder: NodeIdx) -> &mut BTreeMap<String, NodeIdx> {
        match &mut self.nodes[folder] {
            Node::Folder(names) => names,
            Node::File(_) => panic!("node {folder} is a file"),
        }
    }

    /// Paths of all files and folders that have a name, with the bytes of the files, in order.
    pub(crate) fn paths(&self) -> Vec<(PathBuf, Option<&FileBytes>)> {
        let mut paths = Vec::new();
        let mut folders = vec![(PathBuf::new(), ROOT)];
        while let Some((path, folder)) = folders.pop() {
            for (name, &node) in self.folder(folder).into_iter().flatten() {
                paths.push((path.join(name), self.file(node)));
                if self.folder(node).is_some() {
                    folders.push((path.join(name), node));
                }
            }
        }
        paths.sort_by(|a, b| a.0.cmp(&b.0));
        paths
    }

    /// A hash of all names and bytes: trees that look the same have the same.
    pub(crate) fn hash(&self) -> u64 {
        let mut hasher = Xxh3::new();
        for (path, bytes) in self.paths() {
            hasher.update(path.to_string_lossy().as_bytes());
            let (kind, hash) = bytes.map_or((0, 0), |bytes| (1, xxh3_64(bytes)));
            hasher.update(&[kind]);
            hasher.update(&hash.to_le_bytes());
        }
        hasher.digest()
    }
}

/// Writes bytes at a place of a file; what was never written before it is zero.
pub(crate) fn write_at(content: &mut Vec<u8>, start: usize, bytes: &[u8]) {
    let end = start + bytes.len();
    if content.len() < end {
        content.resize(end, 0);
    }
    content[start..end].copy_from_slice(bytes);
}

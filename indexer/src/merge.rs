//! Merging: segments become one, and what was removed is gone for good.
//!
//! ```text
//! segments of the index, in order | segments of other indexes, in order
//!   -> which documents live: of one id the last, unless it is equal
//!   -> kept as they are (nothing removed, large) | rewritten, neighbours together
//!   -> receipt of what is dropped -> one commit
//! ```
//!
//! Rewriting runs the pipeline again over the stored documents, in order. So a merged index has the bytes that one run over its documents
//! would have made, and every choice that a build makes of over-cap keys is made anew, without the removed ones.
//!
//! Cost: that of indexing the text that is rewritten. Disk: until the commit, old and new segments are both there, and scratch files of twice
//! the new catalogue.

use std::ops::Range;
use std::sync::atomic::Ordering;

use crate::corpus::Document;
use crate::error::{Error, Result};
use crate::fingerprint::Fingerprinter;
use crate::ids::{DocIdx, Generation, Key};
use crate::index::manifest::{SegmentEntry, TombstonesEntry};
use crate::index::mmap::ReadOrder;
use crate::index::prepared::Prepared;
use crate::index::receipt::{DroppedDocument, Reason, text_hash};
use crate::index::segment::Segment;
use crate::index::segment_writer::{Keep, Profile, SegmentWriter};
use crate::index::snapshot::Index;
use crate::index::tombstones::Tombstones;
use crate::index::writer::IndexWriter;
use crate::limits::{BUILD_MEMORY_BYTES, SEGMENT_DOCS_MAX, SEGMENT_TEXT_BYTES_MAX};
use crate::memory::MemoryPlan;
use crate::pipeline::{BuildProgress, Workshop, counted_bytes, make_pool};

/// Text from which on a segment of which nothing is removed is kept as it is, in bytes (16 GiB): five minutes of rewriting on two cores. A
/// terabyte then stands in at most 64 segments more than it must.
pub const KEPT_TEXT_BYTES: u64 = SEGMENT_TEXT_BYTES_MAX / 4;

/// Documents from which on the same holds, for segments of tiny documents.
pub const KEPT_DOCS: u32 = SEGMENT_DOCS_MAX / 4;

/// How to merge. The limits can be lowered for tests; [`Default`] has the real ones.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct MergeOptions {
    /// Memory to be used at most, in bytes.
    pub memory_bytes: usize,
    /// Threads that make fingerprints; 0 for one a core.
    pub threads: usize,
    /// A segment of which nothing is removed is kept if it has this much text, in bytes ...
    pub kept_text_bytes: u64,
    /// ... or this many documents.
    pub kept_docs: u32,
    /// Most text of a segment that is written, in bytes.
    pub segment_text_bytes_max: u64,
    /// Most documents of a segment that is written.
    pub segment_docs_max: u32,
}

impl Default for MergeOptions {
    fn default() -> Self {
        Self {
            memory_bytes: BUILD_MEMORY_BYTES,
            threads: 0,
            kept_text_bytes: KEPT_TEXT_BYTES,
            kept_docs: KEPT_DOCS,
            segment_text_bytes_max: SEGMENT_TEXT_BYTES_MAX,
            segment_docs_max: SEGMENT_DOCS_MAX,
        }
    }
}

impl MergeOptions {
    /// Tells whether a segment has no room for a document.
    fn is_full(&self, n_docs: u32, text_bytes: u64, doc_bytes: u64) -> bool {
        n_docs >= self.segment_docs_max || text_bytes + doc_bytes > self.segment_text_bytes_max
    }
}

/// What a merge did.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct MergeReport {
    /// The commit in force: a new one where something was changed.
    pub generation: u32,
    /// Whether anything was changed.
    pub is_changed: bool,
    /// Documents dropped for good since they were removed.
    pub dropped_removed: u64,
    /// Documents dropped for good since another version took their place.
    pub dropped_replaced: u64,
    /// Documents that came from other indexes.
    pub joined: u64,
    /// Documents of other indexes that were there already, text and attributes equal, or that a later one of them replaces.
    pub passed_over: u64,
    /// Segments before, those of other indexes included.
    pub segments_before: u64,
    /// Segments after.
    pub segments_after: u64,
    /// How many of them are as they were, their bytes untouched or copied.
    pub segments_kept: u64,
}

/// Compacts the index and joins others into it, in one commit. Does nothing where there is nothing to do.
///
/// Of documents with the same id the last one stays, in the order: the index, then `from` as given; one that is equal (text and
/// attributes) to the one before it changes nothing. Segments made for deduplication alone are merged among themselves only: they have no
/// anchors, and making some would change what they cost. `from` is only read; each is a snapshot, whoever writes to it meanwhile.
///
/// If documents of the index are dropped, a receipt of them is durable before the commit.
///
/// # Errors
/// [`Error::Incompatible`] where an index of `from` has another recipe or seed; [`Error::NoIndex`] where there is neither an index nor
/// `from`; trouble with files. After an error the old index is in force.
pub fn merge(
    writer: &mut IndexWriter,
    from: &[Index],
    options: MergeOptions,
    progress: &BuildProgress,
) -> Result<MergeReport> {
    let own_recipe = *writer.fingerprinter().recipe();
    for index in from {
        let recipe = index.fingerprinter().recipe();
        if *recipe != own_recipe {
            let is_seed = recipe.seed_check != own_recipe.seed_check;
            return Err(Error::Incompatible {
                path: index.path().to_path_buf(),
                what: if is_seed { "hash seed with check value" } else { "recipe" },
                expected: if is_seed { format!("{:016x}", own_recipe.seed_check) } else { own_recipe.to_string() },
                found: if is_seed { format!("{:016x}", recipe.seed_check) } else { recipe.to_string() },
            });
        }
    }
    if writer.current().is_none() && from.is_empty() {
        return Err(writer.no_index());
    }
    // What was removed and not committed yet counts as removed.
    if writer.current().is_some() {
        writer.commit(None)?;
    }
    writer.remove_leftovers()?;
    // A snapshot of its own, so that the writer can be changed while its segments are read; segments are shared.
    let own = writer.current().cloned();
    let mut merge = Merge::new(own.as_ref(), from, options);
    merge.resolve(writer.fingerprinter())?;
    let steps = merge.plan()?;
    if let Some(index) = &own
        && merge.is_idle(&steps)
    {
        let (generation, n_segments) = (index.generation().0, index.segments().len() as u64);
        return Ok(MergeReport { generation, segments_after: n_segments, segments_kept: n_segments, ..merge.report });
    }
    let pool = make_pool(options.threads)?;
    let merged = pool.install(|| merge.run(&steps, writer, progress));
    if merged.is_err() {
        writer.roll_back();
    }
    merged
}

/// A segment that goes into the merge.
struct Source<'a> {
    segment: &'a Segment,
    is_own: bool,
    /// What is left out: the segment's own tombstones, and documents that lost their id to another.
    dropped: Tombstones,
}

impl Source<'_> {
    fn n_live(&self) -> u32 {
        self.segment.entry().n_docs - self.dropped.n_removed()
    }

    fn live(&self) -> impl Iterator<Item = DocIdx> + '_ {
        (0..self.segment.entry().n_docs).map(DocIdx).filter(|&doc| !self.dropped.is_removed(doc))
    }

    fn is_clean(&self) -> bool {
        self.dropped.n_removed() == 0
    }

    fn profile(&self) -> Profile {
        if self.segment.anchors().is_some() { Profile::Full } else { Profile::Dedup }
    }
}

/// What becomes of sources, by their places.
#[derive(Debug, PartialEq, Eq)]
enum Step {
    /// One stays as it is.
    Keep(usize),
    /// Neighbours become new segments.
    Rewrite(Vec<usize>),
}

struct Merge<'a> {
    sources: Vec<Source<'a>>,
    options: MergeOptions,
    report: MergeReport,
}

impl<'a> Merge<'a> {
    fn new(own: Option<&'a Index>, from: &'a [Index], options: MergeOptions) -> Self {
        let own = own.into_iter().flat_map(Index::segments).map(|segment| (true, segment));
        let from = from.iter().flat_map(Index::segments).map(|segment| (false, segment));
        let source =
            |(is_own, segment): (bool, &'a Segment)| Source { segment, is_own, dropped: segment.tombstones().clone() };
        let sources: Vec<Source<'_>> = own.chain(from).map(source).collect();
        let report = MergeReport { segments_before: sources.len() as u64, ..MergeReport::default() };
        Self { sources, options, report }
    }

    /// Decides of documents with the same id which one lives: first among the other indexes, then between them and this one, so that
    /// joining the same indexes again changes nothing.
    fn resolve(&mut self, fingerprinter: &Fingerprinter) -> Result<()> {
        let n_own = self.sources.iter().take_while(|source| source.is_own).count();
        for later in n_own..self.sources.len() {
            self.report.joined += u64::from(self.sources[later].n_live());
            self.report.passed_over += self.outdo(n_own..later, later, fingerprinter)?.0;
        }
        for later in n_own..self.sources.len() {
            self.report.passed_over += self.outdo(0..n_own, later, fingerprinter)?.1;
        }
        self.report.joined -= self.report.passed_over;
        Ok(())
    }

    /// Drops the documents of earlier sources that a later source replaces, and those of the later source that equal one of them. Returns how
    /// many documents were dropped in all, and how many of the later source.
    fn outdo(&mut self, earlier: Range<usize>, later: usize, fingerprinter: &Fingerprinter) -> Result<(u64, u64)> {
        let (before, rest) = self.sources.split_at_mut(later);
        let (before, source) = (&mut before[earlier], &mut rest[0]);
        let (mut n_dropped, mut n_equal) = (0, 0);
        for doc in (0..source.segment.entry().n_docs).map(DocIdx) {
            if source.dropped.is_removed(doc) {
                continue;
            }
            let (id, _) = source.segment.attributes(doc)?;
            let Some((place, old)) = find_live(before, &id, Key(fingerprinter.id_key(&id)))? else { continue };
            n_dropped += 1;
            if before[place].segment.record(old)?.row_hash == source.segment.record(doc)?.row_hash {
                n_equal += 1;
                source.dropped.remove(doc);
            } else {
                before[place].dropped.remove(old);
            }
        }
        Ok((n_dropped, n_equal))
    }

    /// Tells whether the steps leave the index as it is.
    fn is_idle(&self, steps: &[Step]) -> bool {
        let n_own = self.sources.iter().filter(|source| source.is_own).count();
        let is_own = |step: &Step| matches!(step, Step::Keep(place) if self.sources[*place].is_own);
        steps.len() == n_own && steps.iter().all(is_own)
    }

    fn run(mut self, steps: &[Step], writer: &mut IndexWriter, progress: &BuildProgress) -> Result<MergeReport> {
        let mut entries = Vec::new();
        for step in steps {
            match step {
                Step::Keep(place) => {
                    let Source { segment, is_own, .. } = &self.sources[*place];
                    entries.push(if *is_own { segment.entry().clone() } else { writer.adopt(segment)? });
                    progress.documents.fetch_add(u64::from(segment.entry().n_docs), Ordering::Relaxed);
                    progress.text_bytes.fetch_add(segment.entry().text_bytes, Ordering::Relaxed);
                    self.report.segments_kept += 1;
                }
                Step::Rewrite(places) => entries.extend(self.rewrite(places, writer, progress)?),
            }
        }
        self.report.segments_after = entries.len() as u64;
        self.write_receipt(writer)?;
        let Generation(generation) = writer.commit_segments(entries)?;
        Ok(MergeReport { generation, is_changed: true, ..self.report })
    }

    /// Decides which segments are kept and which are rewritten together. Those without a document that lives are left out.
    fn plan(&self) -> Result<Vec<Step>> {
        let mut steps = Vec::new();
        let mut group: Vec<usize> = Vec::new();
        for (place, source) in self.sources.iter().enumerate().filter(|(_, source)| source.n_live() > 0) {
            let entry = source.segment.entry();
            let is_large = entry.text_bytes >= self.options.kept_text_bytes || entry.n_docs >= self.options.kept_docs;
            let is_kept = is_large && source.is_clean();
            let is_other_profile =
                group.first().is_some_and(|&first| self.sources[first].profile() != source.profile());
            if is_kept || is_other_profile {
                self.plan_group(std::mem::take(&mut group), &mut steps)?;
            }
            if is_kept {
                steps.push(Step::Keep(place));
            } else {
                group.push(place);
            }
        }
        self.plan_group(group, &mut steps)?;
        Ok(steps)
    }

    /// Plans neighbours that would be rewritten: the first ones are kept as long as rewriting would give them back byte by byte.
    fn plan_group(&self, mut group: Vec<usize>, steps: &mut Vec<Step>) -> Result<()> {
        while let Some(&first) = group.first() {
            let source = &self.sources[first];
            let is_end = match group.get(1) {
                Some(&next) => {
                    let next = &self.sources[next];
                    let doc = next.live().next().map(|doc| next.segment.record(doc)).transpose()?;
                    let doc_bytes = doc.map_or(0, |doc| doc.text.end - doc.text.start);
                    self.options.is_full(source.segment.entry().n_docs, source.segment.entry().text_bytes, doc_bytes)
                }
                None => true,
            };
            if !source.is_clean() || !is_end {
                break;
            }
            steps.push(Step::Keep(first));
            group.remove(0);
        }
        if !group.is_empty() {
            steps.push(Step::Rewrite(group));
        }
        Ok(())
    }

    /// Writes the living documents of some sources into as many new segments as they need.
    fn rewrite(
        &self,
        places: &[usize],
        writer: &mut IndexWriter,
        progress: &BuildProgress,
    ) -> Result<Vec<SegmentEntry>> {
        self.expect(places, ReadOrder::Sequential);
        let profile = places.first().map_or(Profile::Full, |&first| self.sources[first].profile());
        let sources = places.iter().map(|&place| &self.sources[place]);
        let mut documents = sources.flat_map(|source| source.live().map(|doc| source.segment.document(doc)));
        let fingerprinter = writer.fingerprinter().clone();
        let mut output = Output { writer, options: self.options, profile, open: None, entries: Vec::new() };
        let plan = MemoryPlan::new(self.options.memory_bytes);
        let workshop = Workshop::new(plan, rayon::current_num_threads())?;
        let mut ready: Vec<Prepared> = Vec::new();
        loop {
            let (next, written) = rayon::join(
                || read_batch(&mut documents, plan).map(|batch| workshop.prepare(batch, &fingerprinter)),
                || output.write(&std::mem::take(&mut ready)),
            );
            written?;
            ready = next?;
            if ready.is_empty() {
                // The index may go on being searched.
                self.expect(places, ReadOrder::Random);
                return output.finish();
            }
            progress.documents.fetch_add(ready.len() as u64, Ordering::Relaxed);
            let text_bytes = ready.iter().map(|prepared| prepared.document.text.len() as u64).sum();
            progress.text_bytes.fetch_add(text_bytes, Ordering::Relaxed);
        }
    }

    fn expect(&self, places: &[usize], order: ReadOrder) {
        for &place in places {
            self.sources[place].segment.expect(order);
        }
    }

    /// Writes down which documents of the index are dropped; no file where none is.
    fn write_receipt(&mut self, writer: &IndexWriter) -> Result<()> {
        let own = || self.sources.iter().filter(|source| source.is_own);
        let n_dropped = own().map(|source| u64::from(source.dropped.n_removed())).sum();
        if n_dropped == 0 {
            return Ok(());
        }
        let mut receipt = writer.start_receipt(n_dropped)?;
        let next = writer.next_generation()?;
        let mut n_of = [0, 0];
        for source in own() {
            let entry = source.segment.entry();
            let tombstoned = entry.tombstones.as_ref().map_or(Generation(0), TombstonesEntry::generation);
            for doc in (0..entry.n_docs).map(DocIdx).filter(|&doc| source.dropped.is_removed(doc)) {
                let Document { id, text, attributes } = source.segment.document(doc)?;
                let key = Key(writer.fingerprinter().id_key(&id));
                let has_successor = find_live(&self.sources, &id, key)?.is_some();
                let reason = if has_successor { Reason::Replaced } else { Reason::Removed };
                n_of[usize::from(has_successor)] += 1;
                let removed_by = if source.segment.is_removed(doc) { tombstoned } else { next };
                receipt.add(&DroppedDocument {
                    id,
                    reason,
                    text_hash: text_hash(&text),
                    text_bytes: text.len() as u64,
                    uri: attributes.uri,
                    license: attributes.license,
                    origin: attributes.origin,
                    shard: attributes.shard,
                    segment: entry.name.clone(),
                    removed_by_generation: removed_by.0,
                })?;
            }
        }
        receipt.finish()?;
        [self.report.dropped_removed, self.report.dropped_replaced] = n_of;
        Ok(())
    }
}

/// New segments, filled one after the other.
struct Output<'a> {
    writer: &'a mut IndexWriter,
    options: MergeOptions,
    profile: Profile,
    /// The segment under construction, and its text in bytes.
    open: Option<(SegmentWriter, u64)>,
    entries: Vec<SegmentEntry>,
}

impl Output<'_> {
    fn write(&mut self, mut documents: &[Prepared]) -> Result<()> {
        while !documents.is_empty() {
            let (segment, text_bytes) = match &mut self.open {
                Some(open) => open,
                none => none.insert((self.writer.start_segment(self.profile, self.options.memory_bytes)?, 0)),
            };
            let mut n_docs = segment.n_docs();
            let fits = |prepared: &&Prepared| {
                let doc_bytes = prepared.document.text.len() as u64;
                // A new segment takes at least one document, whatever its length.
                let fits = n_docs == 0 || !self.options.is_full(n_docs, *text_bytes, doc_bytes);
                if fits {
                    n_docs += 1;
                    *text_bytes += doc_bytes;
                }
                fits
            };
            let (fitting, rest) = documents.split_at(documents.iter().take_while(fits).count());
            segment.add_all(fitting)?;
            documents = rest;
            if !rest.is_empty()
                && let Some((full, _)) = self.open.take()
            {
                self.entries.push(self.writer.place(full.finish(Keep::Last)?)?);
            }
        }
        Ok(())
    }

    fn finish(mut self) -> Result<Vec<SegmentEntry>> {
        if let Some((last, _)) = self.open {
            self.entries.push(self.writer.place(last.finish(Keep::Last)?)?);
        }
        Ok(self.entries)
    }
}

/// Finds the document of an id that lives; there is at most one.
fn find_live(sources: &[Source<'_>], id: &str, key: Key) -> Result<Option<(usize, DocIdx)>> {
    for (place, source) in sources.iter().enumerate() {
        if let Some(doc) = source.segment.find_all(id, key)?.into_iter().find(|&doc| !source.dropped.is_removed(doc)) {
            return Ok(Some((place, doc)));
        }
    }
    Ok(None)
}

/// Reads as many documents as the pipeline takes at a time; none at the end. What the reader of a build would need is there for them.
fn read_batch(documents: &mut impl Iterator<Item = Result<Document>>, plan: MemoryPlan) -> Result<Vec<Document>> {
    let mut batch = Vec::new();
    let mut batch_bytes = 0;
    while batch_bytes < plan.batch_bytes() {
        let Some(document) = documents.next().transpose()? else { break };
        if document.text.len() > plan.document_bytes_max() {
            let what = format!("document `{}`", document.id);
            return Err(plan.refuse(&what, document.text.len(), plan.document_bytes_max()));
        }
        batch_bytes += counted_bytes(&document);
        batch.push(document);
    }
    Ok(batch)
}

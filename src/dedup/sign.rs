//! `sign`: every row of the input to its record, its id, the key of its content and the keys of its bands.
//!
//! ```text
//! records   one a row, in the order of the input
//! ids       for every row the keys of its preference and its id
//! contents  (content key, row), by key and row
//! against   rows that go for documents of an index, by row
//! bands     (band key, tag of the content, row), by key; of rows of one content the first alone
//! samples   (k-gram, row), by k-gram, for `passages`
//! definitions  (hash, row) of every function, class and the like, by hash, for `passages` too
//! ```
//!
//! Rows are numbered within the unit here; `band-merge` knows how many rows the units before have.
//!
//! Cost: reading and parsing once, 1.6 ns a byte of text for words, shingles and the signature; 33 records a row are sorted. With level `code` 100 ns a byte
//! of code for its syntax tree.

use copytrace_indexer::corpus::lines::{ParsedRow, Value};
use copytrace_indexer::corpus::{Document, SkipReason};
use copytrace_indexer::fingerprint::{BandPlan, BandScratch};
use copytrace_indexer::index::radix::Record as SortRecord;
use copytrace_indexer::index::snapshot::Index;
use copytrace_indexer::index::spill::Spill;
use copytrace_indexer::language::Language;
use copytrace_indexer::normalise::Words;
use copytrace_indexer::{Error, Result};
use xxhash_rust::xxh3::{xxh3_64_with_seed, xxh3_128_with_seed};
use zerocopy::little_endian::{U32, U64};
use zerocopy::{FromBytes, Immutable, IntoBytes, KnownLayout, Unaligned};

use super::against::{self, AgainstEntry, Hit};
use super::code_form;
use super::context::Context;
use super::facts::{Amount, EXAMPLES_MAX, SignFacts, SignedFile, count_name};
use super::file::Kind;
use super::functions::definitions::{Parsers, definitions_of, language_of_document};
use super::input::{Block, BlockParser, Blocks, Placed};
use super::parallel::for_each_in_order;
use super::prefer::Preference;
use super::recipe::{ExactForm, Level, Rules};
use super::record::{HAS_SHINGLES, HAS_TEXT, IS_OF_REPOSITORY, Record, sketch_of};
use super::sampling::Sampling;
use super::shingles::Shingler;
use super::work::{Part, Receipt, Step, Work};
use crate::verify::overlap::sort_distinct;

/// Told apart from the hashes of normal forms, and of values.
const RAW_SEED: u64 = 0x5241_5700_0000_0001;
const NORMAL_SEED: u64 = 0x4E4F_524D_0000_0002;
const VALUE_SEED: u64 = 0x5641_4C55_0000_0003;
const CODE_SEED: u64 = 0x434F_4445_0000_0004;

/// Share of the memory that sorts of one unit may take.
const SORT_SHARE: usize = 8;

/// A content key or band key and what has it, as stored.
#[derive(Debug, Clone, Copy, FromBytes, IntoBytes, KnownLayout, Immutable, Unaligned)]
#[repr(C)]
pub(super) struct KeyEntry {
    pub(super) key: U64,
    /// Of bands: 32 bits of the content's hash.
    pub(super) tag: U32,
    /// Number of the row within its unit.
    pub(super) row: U32,
}

/// What is made of a block of lines.
#[derive(Default)]
pub(super) struct Signed {
    records: Vec<Record>,
    /// Keys and ids, one row behind the other.
    blob: Vec<u8>,
    /// Band keys of rows, by their number within the block.
    bands: Vec<(u64, u32)>,
    /// Sampled k-grams of rows, by their number within the block.
    samples: Vec<(u64, u32)>,
    /// Hashes of definitions of rows, by their number within the block.
    definitions: Vec<(u64, u32)>,
    facts: SignFacts,
    /// Rows that go for documents of an index, by their number within the block.
    against: Vec<(u32, Hit)>,
    /// Line of the first row that holds no document, and what is wrong with it.
    first_skipped: Option<(u64, String)>,
}

/// Length of a [`KeyEntry`].
pub(super) const ENTRY_BYTES: u64 = size_of::<KeyEntry>() as u64;

/// What a plan asks for about a block.
pub(super) struct BlockSummary {
    pub(super) contents: Vec<[u8; 16]>,
    /// Band keys with the number of their row within the block.
    pub(super) bands: Vec<(u64, u32)>,
    pub(super) id_bytes: u64,
    pub(super) text_bytes: u64,
}

/// Buffers of a thread.
struct Scratch {
    words: Words,
    shingles: Vec<u64>,
    slots: BandScratch,
    bands: Vec<u64>,
    keys: Vec<[u8; 16]>,
    against: against::Buffers,
    code: code_form::Buffers,
    sampling: Sampling,
}

impl Scratch {
    fn new(rules: &Rules) -> Self {
        Self {
            words: Words::default(),
            shingles: Vec::new(),
            slots: BandScratch::default(),
            bands: Vec::new(),
            keys: Vec::new(),
            against: against::Buffers::default(),
            code: code_form::Buffers::default(),
            sampling: Sampling::new(rules.passage_words),
        }
    }
}

/// Makes the records of rows.
pub(super) struct Signer<'a> {
    rules: &'a Rules,
    preference: Preference,
    shingler: Shingler<'a>,
    bands: BandPlan,
    index: Option<Index>,
    parsers: Parsers,
    seed: u64,
}

/// Does the units of a part.
pub(super) fn sign(context: &Context<'_>, part: Part) -> Result<()> {
    let work = context.work;
    let mut missing = Vec::new();
    for (unit, inputs) in work.pass.units().into_iter().enumerate().filter(|(unit, _)| part.has(*unit)) {
        if work.receipt::<SignFacts>(Step::Sign, unit)?.is_none() {
            missing.push((unit, work.pass.inputs[inputs].iter().map(|input| input.file_bytes).sum::<u64>()));
        }
    }
    context.progress.start(missing.iter().map(|(_, bytes)| bytes).sum());
    missing.into_iter().try_for_each(|(unit, _)| sign_unit(context, unit))
}

fn sign_unit(context: &Context<'_>, unit_idx: usize) -> Result<()> {
    let work = context.work;
    let rules = &work.pass.rules;
    let signer = Signer::new(context)?;
    let mut unit = work.begin(Step::Sign, unit_idx);
    let (mut records, mut ids) = (unit.create("records", Kind::Records)?, unit.create("ids", Kind::Ids)?);
    let mut against_file = unit.create("against", Kind::Against)?;
    let spill_dir = Work::temporary("sign-sort");
    work.storage.create_dir(&spill_dir)?;
    let records_max = context.memory_bytes / SORT_SHARE / size_of::<SortRecord>();
    let mut contents = Spill::new(spill_dir.clone(), "contents", records_max / 16);
    let mut bands = Spill::new(spill_dir.clone(), "bands", records_max);
    let mut samples = Spill::new(spill_dir.clone(), "samples", records_max / 4);
    let mut definitions = Spill::new(spill_dir.clone(), "definitions", records_max / 8);
    let mut facts = SignFacts::default();
    let mut n_rows = 0_u32;
    for input_idx in work.pass.units()[unit_idx].clone() {
        let input = &work.pass.inputs[input_idx];
        let (mut blocks, parser) = Blocks::open(input.file(), context, &rules.further_columns()?)?;
        let first_row = n_rows;
        let work_on = |Placed { block, first_line, .. }| signer.sign_block(&parser, &input.name, block, first_line);
        let take = |signed: Signed| {
            if let Some((row, problem)) = signed.first_skipped.filter(|_| context.is_strict) {
                return Err(Error::Row { path: input.path.clone(), row, problem });
            }
            let id_base = ids.0.position();
            for record in &signed.records {
                let record = Record { id_start: U64::new(record.id_start.get() + id_base), ..*record };
                records.0.write(record.as_bytes())?;
            }
            ids.0.write(&signed.blob)?;
            for (idx, record) in (0..).zip(&signed.records) {
                if record.content != [0; 16] {
                    let value = u64::from(n_rows + idx);
                    contents.push(&*work.storage, SortRecord { key: half(&record.content, 0), value })?;
                }
            }
            for (key, idx) in signed.bands {
                let tag = half(&signed.records[idx as usize].content, 8) << 32;
                bands.push(&*work.storage, SortRecord { key, value: tag | u64::from(n_rows + idx) })?;
            }
            for (keys, spill) in [(signed.samples, &mut samples), (signed.definitions, &mut definitions)] {
                for (key, idx) in keys {
                    spill.push(&*work.storage, SortRecord { key, value: u64::from(n_rows + idx) })?;
                }
            }
            for (idx, hit) in signed.against {
                let entry = AgainstEntry {
                    row: U32::new(n_rows + idx),
                    is_equal: U32::new(hit.is_equal.into()),
                    jaccard: U64::new(hit.overlap.jaccard.to_bits()),
                    containment: U64::new(hit.overlap.containment.to_bits()),
                    id_start: U64::new(ids.0.position()),
                    id_bytes: U32::new(u32::try_from(hit.id.len()).unwrap_or(u32::MAX)),
                    reserved: U32::ZERO,
                };
                ids.0.write(hit.id.as_bytes())?;
                against_file.0.write(entry.as_bytes())?;
            }
            let n_new = u32::try_from(signed.records.len()).unwrap_or(u32::MAX);
            n_rows = n_rows.checked_add(n_new).ok_or_else(|| too_many_rows(&input.name))?;
            context.progress.add(signed.facts.documents);
            merge_facts(&mut facts, signed.facts);
            Ok(())
        };
        for_each_in_order(context.threads, || blocks.next(), work_on, take)?;
        facts.files.push(SignedFile { n_rows: u64::from(n_rows - first_row), checksum: blocks.checksum()? });
    }
    unit.add("records", records)?;
    unit.add("ids", ids)?;
    unit.add("against", against_file)?;

    for (name, kind, spill) in [
        ("contents", Kind::Contents, contents),
        ("samples", Kind::Samples, samples),
        ("definitions", Kind::Definitions, definitions),
    ] {
        let mut file = unit.create(name, kind)?;
        let mut sorted = spill.merge(&*work.storage, u64::MAX)?;
        for SortRecord { key, value } in sorted.by_ref() {
            file.0.write(entry(key, value).as_bytes())?;
        }
        sorted.remove(&*work.storage)?;
        unit.add(name, file)?;
    }
    let mut file = unit.create("bands", Kind::Bands)?;
    let mut sorted = bands.merge(&*work.storage, u64::MAX)?;
    let mut before = None;
    for SortRecord { key, value } in sorted.by_ref() {
        // Rows of one content share all bands: the first stands for all.
        if before.replace((key, value >> 32)) != Some((key, value >> 32)) {
            file.0.write(entry(key, value).as_bytes())?;
        }
    }
    sorted.remove(&*work.storage)?;
    work.storage.remove_dir_all(&spill_dir)?;
    unit.add("bands", file)?;
    unit.commit(facts)
}

/// Replaces `keys` by shingles of which every set with a Jaccard index of at least `threshold` has one too: all but so many that those left could not
/// be enough, the smallest first (Chaudhuri, Ganti and Kaushik, "A primitive operator for similarity joins in data cleaning", ICDE 2006, section 4).
fn prefix_of(shingles: &[u64], threshold: f64, keys: &mut Vec<u64>) {
    keys.clear();
    keys.extend_from_slice(shingles);
    sort_distinct(keys);
    // A similar set shares at least so many; a little less where rounding could decide.
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "between 0 and the size of a set")]
    let n_shared = (threshold * keys.len() as f64 - 1e-6).ceil().max(1.0) as usize;
    keys.truncate(keys.len() + 1 - n_shared.min(keys.len()));
}

fn entry(key: u64, value: u64) -> KeyEntry {
    #[expect(clippy::cast_possible_truncation, reason = "tag and row are the halves of the value")]
    let (tag, row) = ((value >> 32) as u32, value as u32);
    KeyEntry { key: U64::new(key), tag: U32::new(tag), row: U32::new(row) }
}

fn half(hash: &[u8; 16], start: usize) -> u64 {
    let mut bytes = [0; 8];
    bytes.copy_from_slice(&hash[start..start + 8]);
    u64::from_le_bytes(bytes)
}

fn too_many_rows(name: &str) -> Error {
    let expected = format!("at most {} rows", super::record::ROWS_MAX);
    Error::Argument { name: "input", expected, found: format!("more, in `{name}`") }
}

fn merge_facts(facts: &mut SignFacts, new: SignFacts) {
    facts.documents.merge(new.documents);
    facts.words += new.words;
    add_counts(&mut facts.further, &new.further);
    for (reason, skipped) in new.skipped {
        let known = facts.skipped.entry(reason).or_default();
        known.rows += skipped.rows;
        let n_missing = EXAMPLES_MAX.saturating_sub(known.examples.len());
        known.examples.extend(skipped.examples.into_iter().take(n_missing));
    }
    for (known, new) in [(&mut facts.by_origin, new.by_origin), (&mut facts.by_license, new.by_license)] {
        for (name, amount) in new {
            count_name(known, &name, amount);
        }
    }
}

/// Adds counts of columns, which are those of one file or all.
fn add_counts(counts: &mut Vec<u64>, new: &[u64]) {
    counts.resize(counts.len().max(new.len()), 0);
    for (count, new) in counts.iter_mut().zip(new) {
        *count += new;
    }
}

/// Fails where a column that was asked for is in no row: a name that was mistyped must not change what stays.
pub(super) fn ensure_columns(rules: &Rules, receipts: &[Receipt<SignFacts>]) -> Result<()> {
    let (mut counts, mut n_documents) = (Vec::new(), 0);
    for receipt in receipts {
        add_counts(&mut counts, &receipt.facts.further);
        n_documents += receipt.facts.documents.rows;
    }
    let missing = rules.further_columns()?.into_iter().zip(counts).find(|(_, count)| *count == 0);
    match missing {
        Some((found, _)) if n_documents > 0 => {
            let expected = "the name of a column that some row has, in --prefer, --keep-per and --repository-column";
            Err(Error::Argument { name: "column", expected: expected.to_owned(), found })
        }
        _ => Ok(()),
    }
}

impl<'a> Signer<'a> {
    /// Makes the signer of a pass.
    ///
    /// # Errors
    /// Where the index that the pass is against cannot be opened.
    pub(super) fn new(context: &'a Context<'_>) -> Result<Self> {
        let rules = &context.work.pass.rules;
        Ok(Self {
            rules,
            preference: rules.preference()?,
            shingler: context.shingler(),
            bands: BandPlan::new(context.seed, rules.bands, rules.rows),
            index: against::open(&context.work.pass, context.seed)?,
            parsers: Parsers::new(context.fingerprinter.unit_seed()),
            seed: context.seed,
        })
    }

    pub(super) fn sign_block(
        &self,
        parser: &BlockParser,
        file_name: &str,
        block: Block,
        first_line: u64,
    ) -> Result<Signed> {
        let (mut signed, mut scratch) = (Signed::default(), Scratch::new(self.rules));
        let mut trouble = Ok(());
        let sign = |_, line, row: Result<ParsedRow, SkipReason>| match row {
            Ok(row) if trouble.is_ok() => trouble = self.sign_row(&row, &mut scratch, &mut signed),
            Ok(_) => {}
            Err(reason) => signed.skip(file_name, line, &reason),
        };
        parser.for_each(block, first_line, |_| true, sign);
        trouble.map(|()| signed)
    }

    fn sign_row(&self, row: &ParsedRow, scratch: &mut Scratch, signed: &mut Signed) -> Result<()> {
        let ParsedRow { document, values, .. } = row;
        let text = document.text.as_str();
        let (is_near, normal_is_equal) = (self.rules.has(Level::Near), self.rules.exact_form == ExactForm::Normal);
        let raw = xxh3_128_with_seed(text.as_bytes(), self.seed ^ RAW_SEED).to_le_bytes();
        let mut record = Record { raw, flags: U32::new(HAS_TEXT), ..Record::NONE };
        scratch.words.clear();
        if is_near || normal_is_equal || self.index.is_some() || self.rules.has(Level::Passage) {
            self.shingler.fingerprinter.words(text, &mut scratch.words);
        }
        scratch.shingles.clear();
        if is_near {
            self.shingler.shingles(text, &scratch.words, &mut scratch.shingles);
        }
        let has_shingles = !scratch.shingles.is_empty();
        let normal = || xxh3_128_with_seed(scratch.words.hashes.as_bytes(), self.seed ^ NORMAL_SEED).to_le_bytes();
        if has_shingles || (normal_is_equal && self.rules.has(Level::Exact) && !scratch.words.hashes.is_empty()) {
            record.content = normal();
        } else if self.rules.has(Level::Exact) {
            record.content = raw;
        }
        let idx = u32::try_from(signed.records.len()).unwrap_or(u32::MAX);
        let keep_group = self.keep_group(values);
        let push_definition = |hash| signed.definitions.push((hash ^ keep_group, idx));
        if let Some(form) = self.code_form(document, &mut scratch.code, push_definition) {
            record.code = form;
            if record.content == [0; 16] {
                record.content = raw;
            }
        }
        if has_shingles {
            let signature = self.bands.keys(&scratch.shingles, &mut scratch.slots, &mut scratch.bands);
            record.sketch = sketch_of(signature);
            if self.rules.is_exhaustive {
                prefix_of(&scratch.shingles, self.rules.threshold, &mut scratch.bands);
            }
            record.flags |= HAS_SHINGLES;
        } else {
            scratch.bands.clear();
        }
        if self.repository(values) {
            record.flags |= IS_OF_REPOSITORY;
        }
        if let Some(hit) = self.find_in_index(text, scratch)? {
            // It goes whatever the other rows are.
            record.content = [0; 16];
            signed.against.push((idx, hit));
        } else {
            signed.bands.extend(scratch.bands.iter().map(|&key| (key, idx)));
            // One more band, for files of one form.
            signed.bands.extend((record.code != [0; 16]).then(|| (half(&record.code, 0), idx)));
        }
        let short = |n: usize| U32::new(u32::try_from(n).unwrap_or(u32::MAX));
        record.text_bytes = short(text.len());
        record.text_chars = short(text.chars().count());
        record.n_words = short(scratch.words.len());
        record.n_shingles = short(scratch.shingles.len());
        record.id_hash = U64::new(xxh3_64_with_seed(document.id.as_bytes(), self.seed ^ VALUE_SEED));
        record.keep_group = U64::new(keep_group);
        if self.rules.has(Level::Passage) {
            scratch.sampling.sample(&scratch.words, keep_group, |gram| signed.samples.push((gram, idx)));
        }
        scratch.keys.clear();
        self.preference.push_keys(values, text.len(), &mut scratch.keys);
        signed.push(record, &scratch.keys, &document.id);
        let amount = Amount { rows: 1, bytes: text.len() as u64 };
        signed.facts.documents.merge(amount);
        signed.facts.words += scratch.words.len() as u64;
        let has_value: Vec<u64> = values.iter().map(|value| u64::from(*value != Value::Missing)).collect();
        add_counts(&mut signed.facts.further, &has_value);
        count_name(&mut signed.facts.by_origin, &document.attributes.origin, amount);
        count_name(&mut signed.facts.by_license, &document.attributes.license, amount);
        Ok(())
    }

    /// Looks for a document of the index that the row goes for.
    fn find_in_index(&self, text: &str, scratch: &mut Scratch) -> Result<Option<Hit>> {
        let Some(index) = &self.index else { return Ok(None) };
        let has_words = !scratch.words.hashes.is_empty();
        let wanted = against::Wanted {
            text,
            normal_form: has_words.then(|| self.shingler.fingerprinter.normal_form_key(&scratch.words)),
            bands: &scratch.bands,
            shingles: &scratch.shingles,
            threshold: self.rules.threshold,
            keep: self.rules.keep,
            normal_is_equal: self.rules.exact_form == ExactForm::Normal,
        };
        against::find(index, &wanted, &mut scratch.against)
    }

    /// Returns the form of a file of code, and calls `each_definition` with the hash of everything in it that may be cut.
    fn code_form(
        &self,
        document: &Document,
        buffers: &mut code_form::Buffers,
        each_definition: impl FnMut(u64),
    ) -> Option<[u8; 16]> {
        let language = if self.rules.has(Level::Code) { language_of_document(document) } else { Language::Text };
        if !language.is_code() {
            return None;
        }
        let text = document.text.as_str();
        self.parsers.read(text, language, |reading| {
            if self.rules.has_functions() {
                let units = reading.units();
                let found = definitions_of(&reading).into_iter();
                found.map(|definition| units[definition.unit_idx].hash).for_each(each_definition);
            }
            code_form::form_of(self.shingler.fingerprinter, text, language, &reading, self.seed ^ CODE_SEED, buffers)
        })
    }

    /// Tells whether a row belongs to a repository; its column stands before that of `keep_per`.
    fn repository(&self, values: &[Value]) -> bool {
        let n_behind = usize::from(self.rules.keep_per.is_some()) + 1;
        let value = values.len().checked_sub(n_behind).and_then(|at| values.get(at));
        self.rules.repository.is_some() && value.is_some_and(|value| *value != Value::Missing)
    }

    /// Hashes the value of the column of `keep_per`; rows without one are a group too.
    fn keep_group(&self, values: &[Value]) -> u64 {
        if self.rules.keep_per.is_none() {
            return 0;
        }
        match values.last() {
            Some(Value::Text(text)) => xxh3_64_with_seed(text.as_bytes(), self.seed ^ VALUE_SEED),
            Some(Value::Number(number)) => xxh3_64_with_seed(&number.to_bits().to_le_bytes(), self.seed ^ RAW_SEED),
            Some(Value::Missing) | None => 0,
        }
    }
}

impl Signed {
    /// Returns what a plan asks for.
    pub(super) fn summary(self) -> BlockSummary {
        BlockSummary {
            contents: self.records.iter().map(|record| record.content).collect(),
            bands: self.bands,
            id_bytes: self.blob.len() as u64,
            text_bytes: self.facts.documents.bytes,
        }
    }

    fn push(&mut self, record: Record, keys: &[[u8; 16]], id: &str) {
        let id_start = U64::new(self.blob.len() as u64);
        self.blob.extend(keys.iter().flatten());
        self.blob.extend_from_slice(id.as_bytes());
        let id_bytes = U32::new(u32::try_from(id.len()).unwrap_or(u32::MAX));
        self.records.push(Record { id_start, id_bytes, ..record });
    }

    fn skip(&mut self, file_name: &str, line: u64, reason: &SkipReason) {
        self.records.push(Record::NONE);
        self.first_skipped.get_or_insert_with(|| (line, reason.to_string()));
        let skipped = self.facts.skipped.entry(reason.name().to_owned()).or_default();
        skipped.rows += 1;
        if skipped.examples.len() < EXAMPLES_MAX {
            skipped.examples.push(format!("{file_name}, line {line}: {reason}"));
        }
    }
}

/// Returns the receipts of all units.
///
/// # Errors
/// Where one is missing.
pub(super) fn receipts(work: &Work) -> Result<Vec<Receipt<SignFacts>>> {
    (0..work.pass.units().len()).map(|unit| work.expect_receipt(Step::Sign, unit)).collect()
}

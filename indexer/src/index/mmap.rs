//! Read-only bytes of a file: mapped from disk, or held in memory by tests. The only place of the index that has `unsafe`.
//!
//! # Files that shrink
//!
//! Reading a page of a map whose file was cut short, or whose disk fails, raises SIGBUS, which ends a process. Here it costs one file:
//! a handler, installed with the first map, looks the address up in a table of our maps, marks that map as torn and puts zeros in its
//! place, and the read goes on. What was read is then not the file, and so:
//!
//! > Bytes are evidence only if [`FileBytes::torn_at`] is `None` *after* they were read.
//!
//! That also covers the page in which the file ends after it was cut: the system fills it up with zeros and raises nothing, but the
//! file's last byte is gone with it, and `torn_at` looks at that byte. Cost: 1 ns, no system call.
//!
//! Not covered: bytes that somebody overwrites in place *after* they were verified. Index files are never changed by us; see
//! `docs/decisions/mapped-files.md`.

#![expect(unsafe_code, reason = "mapping a file is unsafe: another process could change it")]

use std::ffi::{c_int, c_void};
use std::fmt;
use std::io::{self, Read as _};
use std::ops::{Deref, Range};
use std::path::Path;
use std::ptr;
use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering, fence};
use std::sync::{Arc, OnceLock};

use memmap2::{Advice, Mmap, UncheckedAdvice};
use stable_deref_trait::StableDeref;

/// The bytes of a file, cheap to clone. Index files are immutable once committed, so that the bytes never change; what they
/// say is checked by [`super::block_file`] all the same.
#[derive(Clone)]
pub struct FileBytes(Arc<Source>);

/// In which order the bytes of a file are read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ReadOrder {
    /// Here and there: reading the neighbours of a page in advance (128 KiB of them by default, 8 MiB on some machines) is a waste.
    Random,
    /// Front to back.
    Sequential,
}

enum Source {
    Mapped(Map),
    Owned(Vec<u8>),
}

impl FileBytes {
    /// Maps a file.
    ///
    /// Guarantee: no later change of the file ends the process. Needs the signal SIGBUS; a handler that was there before is called for
    /// all faults that are not ours.
    pub fn map(path: &Path) -> io::Result<Self> {
        let mut file = fs_err::File::open(path)?;
        if file.metadata()?.len() == 0 {
            return Ok(Self::from_vec(Vec::new()));
        }
        install_handler()?;
        // SAFETY: the map is read-only and private to this process; index files are written once, under a temporary name, and
        // never changed after the commit that names them (index/manifest.rs), so no reference is invalidated by us. Bytes changed by
        // somebody else are caught by checksums before use (index/block_file.rs) and no type with invalid values is ever made of them.
        let map = unsafe { Mmap::map(file.file()) }?;
        if let Some(map) = Map::new(map) {
            return Ok(Self(Arc::new(Source::Mapped(map))));
        }
        let mut bytes = Vec::new();
        file.read_to_end(&mut bytes)?;
        Ok(Self::from_vec(bytes))
    }

    /// Returns where bytes of the file are known to be lost, as an offset: the file shrank, or a page of it could not be read. All
    /// bytes read from here before are the file's own only if this is `None` afterwards. Once lost, a file stays lost: open it anew.
    ///
    /// Cost: two loads.
    #[inline]
    pub fn torn_at(&self) -> Option<usize> {
        match &*self.0 {
            Source::Mapped(map) => map.torn_at(),
            Source::Owned(_) => None,
        }
    }

    /// Takes bytes that are in memory already.
    pub fn from_vec(bytes: Vec<u8>) -> Self {
        Self(Arc::new(Source::Owned(bytes)))
    }

    /// Asks the operating system to read a range ahead; a hint without a result. Does nothing for bytes in memory.
    pub fn prefetch(&self, range: Range<usize>) {
        if let Source::Mapped(Map { mmap: map, .. }) = &*self.0
            && range.start < range.end
            && range.end <= map.len()
        {
            // A refused hint costs only time.
            let _ = map.advise_range(Advice::WillNeed, range.start, range.end - range.start);
        }
    }

    /// Has the operating system enter a range into the page table at once, for a reader that is about to read all of it; a hint without
    /// a result. Does nothing for bytes in memory, and on systems that cannot.
    pub fn populate(&self, range: Range<usize>) {
        #[cfg(target_os = "linux")]
        if let Source::Mapped(Map { mmap, .. }) = &*self.0
            && range.start < range.end
            && range.end <= mmap.len()
        {
            // A refused hint (Linux before 5.14, a file that shrank) costs only time.
            let _ = mmap.advise_range(Advice::PopulateRead, range.start, range.end - range.start);
        }
        #[cfg(not(target_os = "linux"))]
        let _ = range;
    }

    /// Tells the operating system in which order the bytes will be read; a hint without a result. Does nothing for bytes in memory.
    pub fn expect(&self, order: ReadOrder) {
        if let Source::Mapped(Map { mmap, .. }) = &*self.0 {
            // A refused hint costs only time.
            let _ = mmap.advise(match order {
                ReadOrder::Random => Advice::Random,
                ReadOrder::Sequential => Advice::Sequential,
            });
        }
    }

    /// Tells the operating system that what was read so far is not needed soon, so that it stops counting as memory of this
    /// process; a hint without a result. What is read again comes from the file again. Does nothing for bytes in memory.
    pub fn release(&self) {
        if let Source::Mapped(Map { mmap: map, .. }) = &*self.0 {
            // SAFETY: `MADV_DONTNEED` drops pages, and a dropped page is read from the file again on its next use. The map is a
            // read-only view of a file that does not change (see `map` above), so every reference into it sees the same bytes as before.
            // A refused hint costs only memory.
            let _ = unsafe { map.unchecked_advise(UncheckedAdvice::DontNeed) };
        }
    }

    /// Returns a range of the bytes as a handle of its own, or `None` where the range ends after the file.
    pub fn share(&self, range: Range<usize>) -> Option<SharedBytes> {
        (range.start <= range.end && range.end <= self.len()).then(|| SharedBytes { file: self.clone(), range })
    }
}

/// A range of a file's bytes that keeps the file open; cheap to clone.
#[derive(Debug, Clone)]
pub struct SharedBytes {
    file: FileBytes,
    range: Range<usize>,
}

impl Deref for SharedBytes {
    type Target = [u8];

    fn deref(&self) -> &[u8] {
        &self.file[self.range.clone()]
    }
}

// SAFETY: the bytes live behind the `Arc` of `FileBytes`, which neither moves nor changes them while any clone is alive (a map has a
// fixed address, the `Vec` is never touched after `from_vec`), and `range` never changes after `share` checked it. So moving or
// cloning a `SharedBytes` leaves the address and the content of what it derefs to as they are.
unsafe impl StableDeref for SharedBytes {}

impl Deref for FileBytes {
    type Target = [u8];

    fn deref(&self) -> &[u8] {
        match &*self.0 {
            Source::Mapped(map) => &map.mmap,
            Source::Owned(bytes) => bytes,
        }
    }
}

/// A map that the handler knows.
struct Map {
    slot: &'static Slot,
    /// What the file's last byte was when it was mapped.
    last_byte: u8,
    mmap: Mmap,
}

impl Map {
    /// Enters a map in the table; `None` where the table cannot name its addresses.
    fn new(mmap: Mmap) -> Option<Self> {
        let packed = pack(mmap.as_ptr().addr(), mmap.len())?;
        let slot = TABLE.claim(packed);
        // Only now: the file may have shrunk since its length was asked.
        let last_byte = read_last_byte(&mmap);
        Some(Self { slot, last_byte, mmap })
    }

    #[inline]
    fn torn_at(&self) -> Option<usize> {
        // The bytes that are judged were read before this line, the byte below and the mark after it.
        fence(Ordering::Acquire);
        let last_byte = read_last_byte(&self.mmap);
        let torn = self.slot.torn.load(Ordering::Acquire);
        if torn == 0 && last_byte == self.last_byte { None } else { Some(self.lost()) }
    }

    /// Notes that the file was cut, where no fault said so, and returns where bytes are lost.
    #[cold]
    fn lost(&self) -> usize {
        let start = self.mmap.as_ptr().addr();
        let end = start + self.mmap.len() - 1;
        match self.slot.torn.compare_exchange(0, end, Ordering::AcqRel, Ordering::Acquire) {
            Ok(_) => end - start,
            Err(address) => address.saturating_sub(start),
        }
    }
}

/// Reads the last byte of a map again, whatever the compiler knows of it.
fn read_last_byte(mmap: &Mmap) -> u8 {
    let last = mmap.last().map_or(ptr::null(), ptr::from_ref);
    debug_assert!(!last.is_null(), "an empty file is not mapped");
    // SAFETY: `last` points to the last byte of a map that is alive, at least one byte long (`FileBytes::map` checked that), readable, and
    // stays readable when the file shrinks (see `on_bus_error`).
    unsafe { ptr::read_volatile(last) }
}

impl Drop for Map {
    fn drop(&mut self) {
        // Nobody reads the map any more, so that no fault can concern it; the field `mmap` is unmapped after this.
        self.slot.torn.store(0, Ordering::Relaxed);
        self.slot.packed.store(FREE, Ordering::Release);
    }
}

/// Maps that a chunk of the table has room for: all of 32 segments in 8 KiB. Further chunks are added when it is full.
const CHUNK_SLOTS: usize = 512;

/// A slot without a map.
const FREE: u64 = 0;

/// Unit in which addresses are packed; every system's pages are a multiple of it.
const PAGE_BYTES: usize = 4096;

/// Bits for the number of pages of a map; the address has the others. 2^28 pages are 1 TiB, and 2^36 pages as far as user addresses reach
/// where nobody asks for more (47 bits on x86-64, 48 on aarch64).
const PAGES_BITS: u32 = 28;

/// One map: where it is, and whether it is torn.
struct Slot {
    /// First page and number of pages in one word, so that no reader ever sees half of a change; [`FREE`] for none.
    packed: AtomicU64,
    /// Address of the first fault; 0 for none. Always 0 while the slot is free.
    torn: AtomicUsize,
}

/// All maps of the process. Slots are taken and given back without a lock, and chunks are never freed, so that a signal handler can walk
/// through them at any time.
struct Chunk {
    slots: [Slot; CHUNK_SLOTS],
    /// Where a free slot is looked for first: behind the last that was taken.
    hint: AtomicUsize,
    next: OnceLock<Box<Chunk>>,
}

static TABLE: Chunk = Chunk::new();

impl Chunk {
    const fn new() -> Self {
        let slots = [const { Slot { packed: AtomicU64::new(FREE), torn: AtomicUsize::new(0) } }; CHUNK_SLOTS];
        Self { slots, hint: AtomicUsize::new(0), next: OnceLock::new() }
    }

    /// Takes a free slot.
    fn claim(&'static self, packed: u64) -> &'static Slot {
        let mut chunk = self;
        loop {
            // A load leaves the slot's cache line to those who read it.
            let take = |slot: &Slot| {
                slot.packed.load(Ordering::Relaxed) == FREE
                    && slot.packed.compare_exchange(FREE, packed, Ordering::AcqRel, Ordering::Relaxed).is_ok()
            };
            let hint = chunk.hint.load(Ordering::Relaxed);
            let mut places = (hint..CHUNK_SLOTS).chain(0..hint);
            if let Some(place) = places.find(|&place| take(&chunk.slots[place])) {
                chunk.hint.store((place + 1) % CHUNK_SLOTS, Ordering::Relaxed);
                return &chunk.slots[place];
            }
            chunk = chunk.next.get_or_init(|| Box::new(Self::new()));
        }
    }

    /// Finds the slot of the map in which an address lies. Safe in a signal handler: it only loads atomics.
    ///
    /// The map in question cannot leave the table meanwhile: the thread that faulted is reading it and so keeps it alive.
    fn find(&'static self, address: usize) -> Option<&'static Slot> {
        let mut chunk = Some(self);
        while let Some(Self { slots, next, .. }) = chunk {
            let found = slots.iter().find(|slot| unpack(slot.packed.load(Ordering::Acquire)).contains(&address));
            if found.is_some() {
                return found;
            }
            chunk = next.get().map(|next| &**next);
        }
        None
    }
}

fn pack(start: usize, len: usize) -> Option<u64> {
    let first_page = u64::try_from(start / PAGE_BYTES).ok()?;
    let n_pages = u64::try_from(len.div_ceil(PAGE_BYTES)).ok()?;
    let fits = start.is_multiple_of(PAGE_BYTES) && first_page >> (64 - PAGES_BITS) == 0 && n_pages >> PAGES_BITS == 0;
    fits.then_some(first_page << PAGES_BITS | n_pages)
}

fn unpack(packed: u64) -> Range<usize> {
    let bytes = |pages: u64| usize::try_from(pages).unwrap_or(0) * PAGE_BYTES;
    let start = bytes(packed >> PAGES_BITS);
    start..start + bytes(packed & ((1 << PAGES_BITS) - 1))
}

/// What handled SIGBUS before us; set before our handler is installed.
static PREVIOUS: OnceLock<libc::sigaction> = OnceLock::new();

type Handler = extern "C" fn(c_int, *mut libc::siginfo_t, *mut c_void);

/// Installs [`on_bus_error`], once in the life of the process.
fn install_handler() -> io::Result<()> {
    static INSTALLED: OnceLock<Result<(), i32>> = OnceLock::new();
    let install = || {
        let mut previous = empty_action();
        // SAFETY: a null pointer for the new action only asks for the old one, which is written to a valid place.
        let asked = unsafe { libc::sigaction(libc::SIGBUS, ptr::null(), &raw mut previous) };
        PREVIOUS.get_or_init(|| previous);
        let set = exchange_action(&our_action(), &mut empty_action());
        if asked == 0 && set { Ok(()) } else { Err(io::Error::last_os_error().raw_os_error().unwrap_or(0)) }
    };
    INSTALLED.get_or_init(install).map_err(io::Error::from_raw_os_error)
}

/// Makes ours the handler of SIGBUS from here on. Returns whether it did.
fn exchange_action(action: &libc::sigaction, before: &mut libc::sigaction) -> bool {
    // SAFETY: `action` is whole (`our_action`, `empty_action`), and what was there before is written to a valid place.
    unsafe { libc::sigaction(libc::SIGBUS, ptr::from_ref(action), ptr::from_mut(before)) == 0 }
}

/// [`on_bus_error`], on the alternate stack that every Rust thread has, as the handler that it may have to call expects.
fn our_action() -> libc::sigaction {
    let mut action = empty_action();
    action.sa_sigaction = (on_bus_error as Handler as *const ()).expose_provenance();
    action.sa_flags = libc::SA_SIGINFO | libc::SA_ONSTACK;
    action
}

fn empty_action() -> libc::sigaction {
    // SAFETY: `sigaction` is a C struct of numbers and an optional function, for which all-zero bytes are valid: the default action, an
    // empty mask, no flags.
    unsafe { std::mem::zeroed() }
}

/// `BUS_MCEERR_AO` of Linux: broken memory that was found before anybody read it.
const BROKEN_MEMORY_UNREAD: c_int = 5;

/// Handles SIGBUS: tears the map in which the fault lies and lets the read go on, or passes the signal on.
///
/// Runs inside a signal handler: it allocates nothing, takes no lock and uses atomics and system calls only.
extern "C" fn on_bus_error(signal: c_int, info: *mut libc::siginfo_t, context: *mut c_void) {
    // SAFETY: the system calls a handler with SA_SIGINFO with a pointer to a valid `siginfo_t`.
    let facts = unsafe { &*info };
    // SAFETY: `si_addr` is meaningful for a SIGBUS of the kernel, which is what the code says before the address is used.
    let address = unsafe { facts.si_addr() }.addr();
    // Above zero: a fault (past the end of the file, read error, broken memory), and not a signal that somebody sent. Broken memory that
    // nobody has read yet is told to any thread: the map may be going away meanwhile, so that it is none of ours.
    let is_fault = facts.si_code > 0 && facts.si_code != BROKEN_MEMORY_UNREAD;
    match TABLE.find(address).filter(|_| is_fault) {
        Some(slot) if tear(slot, address) => {}
        _ => pass_on(signal, info, context, is_fault),
    }
}

/// Marks a map as torn and puts zeros in its place. Returns whether reading can go on.
///
/// The whole map at once: so a map tears once, however many of its pages are gone, and takes no more than one entry of the kernel's
/// list of maps.
fn tear(slot: &Slot, address: usize) -> bool {
    // First the mark, then the zeros: who reads a zero and asks afterwards finds the mark.
    let _ = slot.torn.compare_exchange(0, address, Ordering::SeqCst, Ordering::SeqCst);
    let range = unpack(slot.packed.load(Ordering::Acquire));
    let place = ptr::without_provenance_mut(range.start);
    let flags = libc::MAP_PRIVATE | libc::MAP_ANONYMOUS | libc::MAP_FIXED | libc::MAP_NORESERVE;
    // SAFETY: the range is that of a map of ours (`Chunk::find`), which is alive because the thread under this handler is reading it, and
    // which is only read; it stays mapped and readable, at the same place, and its owner unmaps it as before. Other threads that are
    // reading it see zeros, which they will not use (`FileBytes::torn_at`). The call is a bare system call and changes no `errno` where it
    // succeeds.
    let mapped = unsafe { libc::mmap(place, range.len(), libc::PROT_READ, flags, -1, 0) };
    mapped != libc::MAP_FAILED
}

/// The handler that was there before us has made way for the default action: the next signal that it would get ends the process.
static HAS_MADE_WAY: AtomicBool = AtomicBool::new(false);

/// Does with a signal what would have been done without us, and stays the handler.
///
/// std's handler, which knows stack overflows, makes way for the default action at any other signal, so that a fault that comes again ends
/// the process. Ours must not go with it: a signal that somebody sent would leave all maps without it.
fn pass_on(signal: c_int, info: *mut libc::siginfo_t, context: *mut c_void, is_fault: bool) {
    let previous = if HAS_MADE_WAY.load(Ordering::SeqCst) { None } else { PREVIOUS.get().copied() };
    let previous = previous.unwrap_or_else(empty_action);
    match previous.sa_sigaction {
        libc::SIG_IGN if !is_fault => return,
        // A fault cannot be ignored: the read would fault again for ever.
        libc::SIG_DFL | libc::SIG_IGN => return end_process(signal),
        address if previous.sa_flags & libc::SA_SIGINFO == 0 => {
            // SAFETY: without SA_SIGINFO this is the address of a function that takes the signal's number.
            let handler = unsafe { std::mem::transmute::<*const (), extern "C" fn(c_int)>(code_at(address)) };
            handler(signal);
        }
        address => {
            // SAFETY: with SA_SIGINFO this is the address of a function of that signature.
            let handler = unsafe { std::mem::transmute::<*const (), Handler>(code_at(address)) };
            handler(signal, info, context);
        }
    }
    let mut left = empty_action();
    if exchange_action(&our_action(), &mut left) && left.sa_sigaction == libc::SIG_DFL {
        HAS_MADE_WAY.store(true, Ordering::SeqCst);
    }
}

fn code_at(address: usize) -> *const () {
    ptr::with_exposed_provenance(address)
}

/// Does what SIGBUS does where nobody handles it.
fn end_process(signal: c_int) {
    let default = empty_action();
    // SAFETY: `default` is whole (`empty_action`); nothing is asked back.
    unsafe { libc::sigaction(signal, &raw const default, ptr::null_mut()) };
    // SAFETY: no memory is involved; the signal comes when the handler returns.
    unsafe { libc::raise(signal) };
}

impl fmt::Debug for FileBytes {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let source = match &*self.0 {
            Source::Mapped(_) => "mapped",
            Source::Owned(_) => "owned",
        };
        write!(f, "FileBytes({source}, {} bytes)", self.len())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn mapped_and_owned_bytes_agree() {
        let dir = tempfile::tempdir().unwrap();
        for content in [&b""[..], b"x", &[7; 10_000]] {
            let path = dir.path().join("file");
            fs_err::write(&path, content).unwrap();
            let mapped = FileBytes::map(&path).unwrap();
            mapped.expect(ReadOrder::Random);
            mapped.prefetch(0..content.len());
            assert_eq!(&*mapped, content);
            assert_eq!(&*FileBytes::from_vec(content.to_vec()), content);
            mapped.release();
            assert_eq!(&*mapped, content, "released pages come back");
        }
    }

    #[test]
    fn shared_ranges_outlive_the_file_and_never_leave_it() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("file");
        let content: Vec<u8> = (0..=250).cycle().take(10_000).collect();
        fs_err::write(&path, &content).unwrap();
        for file in [FileBytes::map(&path).unwrap(), FileBytes::from_vec(content.clone())] {
            for (range, is_inside) in
                [(0..10_000, true), (10_000..10_000, true), (77..4_200, true), (9_999..10_001, false)]
            {
                let shared = file.clone().share(range.clone());
                assert_eq!(shared.as_deref(), is_inside.then(|| &content[range]));
            }
            let shared = file.share(5..15).unwrap();
            let address = shared.as_ptr();
            drop(file);
            let moved = Box::new(shared.clone());
            assert_eq!((moved.as_ptr(), &**moved), (address, &content[5..15]));
        }
    }

    fn cut(path: &Path, length: u64) {
        fs_err::OpenOptions::new().write(true).open(path).unwrap().set_len(length).unwrap();
    }

    #[test]
    fn a_file_that_shrinks_is_torn_and_no_other() {
        let dir = tempfile::tempdir().unwrap();
        let (path, neighbour) = (dir.path().join("file"), dir.path().join("neighbour"));
        let content = vec![7; 10 * PAGE_BYTES + 100];
        fs_err::write(&neighbour, &content).unwrap();
        let other = FileBytes::map(&neighbour).unwrap();
        let lengths = (0..=10).flat_map(|page| [page * PAGE_BYTES, page * PAGE_BYTES + 1, page * PAGE_BYTES + 99]);
        for (length, is_warm) in lengths.flat_map(|length| [(length, false), (length, true)]) {
            fs_err::write(&path, &content).unwrap();
            let file = FileBytes::map(&path).unwrap();
            if is_warm {
                assert_eq!(&*file, &content[..]);
            }
            assert_eq!(file.torn_at(), None);
            cut(&path, length as u64);
            let found = file.to_vec();
            assert!(found.iter().all(|&byte| byte == 7 || byte == 0), "cut to {length} bytes");
            let torn_at = file.torn_at().unwrap_or_else(|| panic!("cut to {length} bytes"));
            assert!((length / PAGE_BYTES * PAGE_BYTES..content.len()).contains(&torn_at), "{length}: {torn_at}");
            fs_err::write(&path, &content).unwrap();
            assert_eq!(file.torn_at(), Some(torn_at), "what is lost stays lost");
            let again = FileBytes::map(&path).unwrap();
            assert_eq!((&*again, again.torn_at()), (&content[..], None));
            assert_eq!((&*other, other.torn_at()), (&content[..], None));
        }
    }

    #[test]
    fn addresses_are_packed_without_loss_or_refused() {
        for (start, len) in
            [(PAGE_BYTES, 1), (PAGE_BYTES, PAGE_BYTES), (0x7fff_ffff_f000, 5 * PAGE_BYTES), (1 << 40, 1 << 39)]
        {
            let end = start + len.div_ceil(PAGE_BYTES) * PAGE_BYTES;
            assert_eq!(pack(start, len).map(unpack), Some(start..end));
        }
        for (start, len) in [(1 << 48, 1), (PAGE_BYTES, 1 << 40), (PAGE_BYTES + 1, 1)] {
            assert_eq!(pack(start, len), None, "{start} {len}");
        }
        assert!(unpack(FREE).is_empty());
    }

    #[test]
    fn more_maps_than_a_chunk_of_the_table_holds_are_told_apart() {
        let dir = tempfile::tempdir().unwrap();
        let n_files = CHUNK_SLOTS + CHUNK_SLOTS / 2;
        let path = |n: usize| dir.path().join(n.to_string());
        let map = |n: usize| {
            fs_err::write(path(n), vec![1; 2 * PAGE_BYTES]).unwrap();
            FileBytes::map(&path(n)).unwrap()
        };
        let mut files: Vec<FileBytes> = (0..n_files).map(map).collect();
        for n in (0..n_files).step_by(7) {
            cut(&path(n), 0);
            assert!(files[n].iter().all(|&byte| byte == 0));
        }
        for (n, file) in files.iter().enumerate() {
            assert_eq!(file.torn_at().is_some(), n % 7 == 0, "{n}");
        }
        // Slots that are used again have forgotten.
        files.truncate(10);
        files.extend((10..n_files).map(map));
        assert!(files[10..].iter().all(|file| file.torn_at().is_none() && file.iter().all(|&byte| byte == 1)));
    }

    #[test]
    fn threads_that_map_and_lose_files_do_not_disturb_each_other() {
        let dir = tempfile::tempdir().unwrap();
        std::thread::scope(|scope| {
            for thread in 0..4 {
                let path = dir.path().join(thread.to_string());
                scope.spawn(move || {
                    for round in 0..200_usize {
                        fs_err::write(&path, vec![3; 3 * PAGE_BYTES]).unwrap();
                        let file = FileBytes::map(&path).unwrap();
                        let is_cut = round % 2 == 1;
                        if is_cut {
                            cut(&path, (round * 61 % (2 * PAGE_BYTES)) as u64);
                        }
                        let is_lost = file.contains(&0);
                        assert_eq!((is_lost, file.torn_at().is_some()), (is_cut, is_cut), "round {round}");
                    }
                });
            }
        });
    }

    /// Set in the processes that [`a_fault_elsewhere_still_ends_the_process`] starts: what they do.
    const CHILD: &str = "COPYTRACE_TEST_MMAP_CHILD";

    /// The child's part: faults where no map of ours is, or is sent the signal.
    #[test]
    fn a_fault_elsewhere_is_not_ours() {
        let Some(deed) = std::env::var_os(CHILD) else { return };
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("file");
        fs_err::write(&path, [1; 100]).unwrap();
        let ours = FileBytes::map(&path).unwrap();
        let file = fs_err::File::open(&path).unwrap();
        // SAFETY: none is needed: the test is about what happens when the file shrinks.
        let foreign = unsafe { Mmap::map(file.file()) }.unwrap();
        cut(&path, 0);
        assert!(ours.iter().all(|&byte| byte == 0) && ours.torn_at() == Some(0));
        assert!(deed != "foreign" || read_last_byte(&foreign) > 1, "a foreign map was read and the process lives");
        // SAFETY: no memory is involved.
        unsafe { libc::raise(libc::SIGBUS) };
        // What was there before us is std's handler for stack overflows. It takes the first one for nothing and makes way for the default;
        // files that shrink now are handled all the same.
        fs_err::write(&path, [1; 100]).unwrap();
        let again = FileBytes::map(&path).unwrap();
        cut(&path, 0);
        assert!(again.iter().all(|&byte| byte == 0) && again.torn_at() == Some(0));
        println!("still alive");
        // SAFETY: as above.
        unsafe { libc::raise(libc::SIGBUS) };
    }

    #[test]
    fn a_fault_elsewhere_still_ends_the_process() {
        use std::os::unix::process::ExitStatusExt as _;
        for deed in ["foreign", "sent"] {
            let mut child = std::process::Command::new(std::env::current_exe().unwrap());
            child
                .args(["--exact", "--nocapture", "index::mmap::tests::a_fault_elsewhere_is_not_ours"])
                .env(CHILD, deed);
            let output = child.output().unwrap();
            assert_eq!(output.status.signal(), Some(libc::SIGBUS), "{deed}: {output:?}");
            let is_second = String::from_utf8_lossy(&output.stdout).contains("still alive");
            assert_eq!(
                is_second,
                deed == "sent",
                "the first one that is sent ends nothing, here or without us: {output:?}"
            );
        }
    }
}

//! The slow path: words of a run that holds anything but ASCII.
//!
//! A run is cut into *clusters*, pieces that normalise independently of each other: one begins at every code point
//! before which nothing can change (Unicode Standard Annex #15, section 9: a starter that never composes with what
//! precedes it). Nearly all clusters are one code point whose [`entry`] is the answer; inert marks in order follow
//! their letter as they are; the rest asks the Unicode library.

use super::characters::{Behaviour, Class, Entry, class_of, entry, normalise_cluster};

/// Receives the words of a text.
pub(super) trait WordSink {
    /// Adds a character to the word that is being read.
    fn push(&mut self, c: char);
    /// Ends the word; it came from the bytes [start, end) of the original text.
    fn end(&mut self, start: usize, end: usize);
}

/// Sends the words of one run to `sink`; the run begins at byte `base` of the text.
pub(super) fn walk_run(run: &str, base: usize, sink: &mut impl WordSink) {
    let mut walk = Walk { sink, state: State::Between, start: 0, end: 0 };
    let mut characters = run.char_indices();
    let mut next = characters.next().map(|(at, c)| (at, c, entry(c)));
    while let Some((at, c, first)) = next {
        next = characters.next().map(|(at, c)| (at, c, entry(c)));
        let is_alone = next.is_none_or(|(_, _, following)| following.begins_cluster());
        if let (true, Behaviour::Simple(class)) = (is_alone, first.behaviour()) {
            walk.emit(first.character(), class, base + at, base + at + c.len_utf8());
            continue;
        }
        while let Some((_, _, following)) = next
            && !following.begins_cluster()
        {
            next = characters.next().map(|(at, c)| (at, c, entry(c)));
        }
        let end = next.map_or(run.len(), |(at, _, _)| at);
        walk.walk_cluster(&run[at..end], base + at);
    }
    walk.close();
}

/// Tells whether no word and no cluster reaches over the place before a character, whatever stands there.
pub(super) fn begins_anew(c: char) -> bool {
    let entry = entry(c);
    entry.begins_cluster() && matches!(entry.behaviour(), Behaviour::Simple(Class::Separator | Class::Alone))
}

/// Whether a word is open, and of which kind.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum State {
    Between,
    InWord,
    /// Behind a word of one code point, which only marks can lengthen.
    BehindAlone,
}

struct Walk<'sink, S> {
    sink: &'sink mut S,
    state: State,
    /// Bytes of the open word so far.
    start: usize,
    end: usize,
}

impl<S: WordSink> Walk<'_, S> {
    /// Takes a character of the normal form that came from the bytes [start, end).
    #[inline]
    fn emit(&mut self, c: char, class: Class, start: usize, end: usize) {
        match class {
            Class::Separator => return self.close(),
            Class::Mark if self.state == State::Between => return,
            Class::Mark => {}
            Class::Letter if self.state == State::InWord => {}
            Class::Letter => self.open(State::InWord, start),
            Class::Alone => self.open(State::BehindAlone, start),
        }
        self.sink.push(c);
        self.end = end;
    }

    fn open(&mut self, state: State, start: usize) {
        self.close();
        (self.state, self.start) = (state, start);
    }

    fn close(&mut self) {
        if self.state != State::Between {
            self.sink.end(self.start, self.end);
            self.state = State::Between;
        }
    }

    /// Takes a cluster of more than one code point, or one that becomes several.
    #[cold]
    fn walk_cluster(&mut self, cluster: &str, base: usize) {
        if is_in_order(cluster) {
            for (at, c) in cluster.char_indices() {
                let entry = entry(c);
                if let Behaviour::Simple(class) | Behaviour::Inert(class) = entry.behaviour() {
                    self.emit(entry.character(), class, base + at, base + at + c.len_utf8());
                }
            }
            return;
        }
        let contributes = |(_, c): &(usize, char)| entry(*c).behaviour() != Behaviour::Dropped;
        let mut contributing = cluster.char_indices().filter(contributes);
        let Some((first, _)) = contributing.next() else { return };
        let (last, last_character) = cluster.char_indices().rfind(contributes).unwrap_or((first, ' '));
        let (start, end) = (base + first, base + last + last_character.len_utf8());
        let characters = cluster.char_indices().filter(contributes).map(|(_, c)| c);
        normalise_cluster(characters, |c| self.emit(c, class_of(c), start, end));
    }
}

/// Tells whether the entries of a cluster's code points, one after the other, are its normal form: a simple one, then
/// inert marks whose combining classes do not fall. Nothing composes then, and nothing is reordered.
fn is_in_order(cluster: &str) -> bool {
    let mut combining_class = 0;
    let mut is_first = true;
    cluster.chars().map(entry).all(|entry: Entry| match entry.behaviour() {
        Behaviour::Simple(_) => std::mem::take(&mut is_first),
        Behaviour::Inert(_) => {
            is_first = false;
            std::mem::replace(&mut combining_class, entry.combining_class()) <= entry.combining_class()
        }
        Behaviour::Dropped => true,
        Behaviour::Joins | Behaviour::Expands => false,
    })
}

//! Which rows of a group stay: verified stars instead of a transitive closure.
//!
//! Members are taken from the best to the worst. A member is removed if enough kept members are *proven* similar to it, and names the best of
//! them; else it is kept. Only kept members that share a bucket are compared: those are the candidates.
//!
//! ```text
//! chain a - b - c, neighbours similar, ends not:   a kept, b removed (a), c kept       a transitive closure would keep a alone
//! ```
//!
//! Members of equal content are compared as one: a content is compared with another at most once, and a million equal members cost a million
//! look-ups.
//!
//! Several threads work on one group: members come in *batches*, and those of a batch meet, side by side, the members that were kept before it. What
//! is left is done one member after the other: to meet those that the batch itself keeps, and to decide. As each member meets kept ones from
//! the best to the worst, that changes nothing but the time; the size of a batch depends on nothing but its place.
//!
//! Cost: for every content the kept contents in its buckets, of which a bucket remembers its best 256; each comparison is bounded by
//! the caller's. Memory: 40 bytes a content, 4 for each of its buckets, and what is similar to it.

use std::collections::HashMap;

use rayon::prelude::*;

/// Most kept contents that a bucket remembers. Of a template that fills one bucket with thousands of unlike texts, similar ones meet in other
/// buckets too.
pub(super) const LEADERS_PER_BUCKET_MAX: usize = 256;

/// How much work a group may be.
#[derive(Debug, Clone, Copy)]
pub(super) struct Bounds {
    /// Most kept contents that a bucket remembers.
    pub(super) leaders_max: usize,
    /// Most members of a batch; no decision depends on it.
    pub(super) batch_max: usize,
}

/// Most members of a batch: enough to keep threads busy, few enough that those kept in it are few.
pub(super) const BATCH_MEMBERS_MAX: usize = 1024;
/// Members that a thread takes at once.
const MEMBERS_PER_TASK: usize = 32;

/// A row of a group; members are given from the best to the worst.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Member {
    /// Its content, an index into the list of contents.
    pub(super) content: u32,
    /// Rows of another value of `keep_per` do not count.
    pub(super) keep_group: u64,
}

/// The buckets of contents, numbered from 0.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(super) struct Buckets {
    /// Where those of each content end in `list`.
    ends: Vec<usize>,
    list: Vec<u32>,
}

impl Buckets {
    /// Starts the next content.
    pub(super) fn push_content(&mut self) {
        self.ends.push(self.list.len());
    }

    /// Adds a bucket to the last content.
    pub(super) fn push_bucket(&mut self, bucket: u32) {
        debug_assert!(!self.ends.is_empty(), "a bucket is of a content");
        self.list.push(bucket);
        if let Some(end) = self.ends.last_mut() {
            *end = self.list.len();
        }
    }

    pub(super) fn n_contents(&self) -> usize {
        self.ends.len()
    }

    pub(super) fn of(&self, content: u32) -> &[u32] {
        let idx = content as usize;
        &self.list[idx.checked_sub(1).map_or(0, |before| self.ends[before])..self.ends[idx]]
    }
}

/// How alike two contents are.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Overlap {
    pub(super) jaccard: f64,
    /// Share of the first that the second holds.
    pub(super) containment: f64,
    /// Whether a renaming makes them equal, whatever the index says.
    pub(super) is_code: bool,
}

impl Overlap {
    /// That of equal contents.
    pub(super) const EQUAL: Self = Self { jaccard: 1.0, containment: 1.0, is_code: false };
}

/// Compares contents.
pub(super) trait Compare: Sync {
    /// What rules most pairs out, kept together for the kept contents of the group.
    type Profile: Copy + Send + Sync;

    fn profile(&self, content: u32) -> Self::Profile;

    /// Tells whether two contents are worth a comparison.
    fn may_be_alike(&self, a: &Self::Profile, b: &Self::Profile) -> bool;

    /// Returns how alike two different contents are if they are similar enough; the first may be removed for the second.
    fn compare(&self, a: u32, b: u32) -> Option<Overlap>;
}

/// Why a member goes.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Removal {
    /// The best kept member that it is similar to.
    pub(super) kept: u32,
    pub(super) overlap: Overlap,
}

/// Pairs of contents, by what was done about them.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) struct Compared {
    pub(super) n_compared: u64,
    pub(super) n_ruled_out: u64,
}

/// What is known of a content. Kept contents, *leaders*, are numbered in the order in which they came to be kept.
#[derive(Debug, Default)]
struct State {
    /// Leaders below this number were met.
    next: u32,
    /// Leaders that are similar, best first.
    similar: Vec<(u32, Overlap)>,
    is_leader: bool,
    /// Batch that it was seen in last, counted from 1.
    batch: u32,
}

/// The kept contents that some bucket remembers.
struct Leaders<P> {
    contents: Vec<u32>,
    profiles: Vec<P>,
    /// Numbers of leaders, ascending.
    by_bucket: Vec<Vec<u32>>,
}

/// What a content met.
struct Met {
    next: u32,
    similar: Vec<(u32, Overlap)>,
    compared: Compared,
}

/// Buffers of a thread.
#[derive(Default)]
struct Scratch {
    /// Of each leader: the last turn that met it in a bucket.
    stamps: Vec<u32>,
    turn: u32,
    candidates: Vec<u32>,
}

/// Kept members that are similar to one.
#[derive(Default)]
struct Tally {
    n_kept: u32,
    best: Option<Removal>,
}

struct Decider<'a, C: Compare> {
    compare: &'a C,
    buckets: &'a Buckets,
    keep: u32,
    leaders_max: usize,
    leaders: Leaders<C::Profile>,
    states: Vec<State>,
    /// Of a content and a value of `keep_per`: how many members are kept, and the best of them.
    kept: HashMap<(u32, u64), (u32, u32)>,
}

/// Decides for every member: `None` to keep it; `keep` of a cluster stay.
pub(super) fn decide<C: Compare>(
    members: &[Member],
    buckets: &Buckets,
    keep: u32,
    compare: &C,
    bounds: Bounds,
) -> (Vec<Option<Removal>>, Compared) {
    let n_buckets = buckets.list.iter().max().map_or(0, |&bucket| bucket as usize + 1);
    let leaders = Leaders { contents: Vec::new(), profiles: Vec::new(), by_bucket: vec![Vec::new(); n_buckets] };
    let mut states: Vec<State> = Vec::new();
    states.resize_with(buckets.n_contents(), State::default);
    let leaders_max = bounds.leaders_max;
    let mut decider = Decider { compare, buckets, keep, leaders_max, leaders, states, kept: HashMap::new() };
    let (mut removals, mut compared) = (Vec::with_capacity(members.len()), Compared::default());
    let (mut scratch, mut batch_number) = (Scratch::default(), 0);
    while removals.len() < members.len() {
        let start = removals.len();
        let batch = &members[start..members.len().min(start + start.clamp(1, bounds.batch_max))];
        batch_number += 1;
        let is_new = |member: &&Member| {
            let state = &mut decider.states[member.content as usize];
            std::mem::replace(&mut state.batch, batch_number) != batch_number
        };
        let new: Vec<Member> = batch.iter().filter(is_new).copied().collect();
        let meetings = new.par_iter().with_min_len(MEMBERS_PER_TASK);
        let met: Vec<Met> =
            meetings.map_init(Scratch::default, |scratch, &member| decider.meet(member, scratch)).collect();
        for (member, met) in new.iter().zip(met) {
            compared += decider.note(member.content, met);
        }
        for (number, &member) in (start..).zip(batch) {
            let mut tally = decider.tally(member);
            if tally.n_kept < keep {
                let met = decider.meet(member, &mut scratch);
                compared += decider.note(member.content, met);
                tally = decider.tally(member);
            }
            if tally.n_kept >= keep {
                removals.push(tally.best);
            } else {
                decider.keep(u32::try_from(number).unwrap_or(u32::MAX), member);
                removals.push(None);
            }
        }
    }
    (removals, compared)
}

impl<C: Compare> Decider<'_, C> {
    /// Counts the kept members that are known to be similar to one, until they are enough.
    fn tally(&self, member: Member) -> Tally {
        let mut tally = Tally::default();
        self.count(&mut tally, member, member.content, Overlap::EQUAL);
        for &(content, overlap) in &self.states[member.content as usize].similar {
            if tally.n_kept >= self.keep {
                break;
            }
            self.count(&mut tally, member, content, overlap);
        }
        tally
    }

    /// Counts the kept members of a content.
    fn count(&self, tally: &mut Tally, member: Member, content: u32, overlap: Overlap) {
        if let Some(&(n_kept, first)) = self.kept.get(&(content, member.keep_group)) {
            tally.n_kept += n_kept;
            tally.best.get_or_insert(Removal { kept: first, overlap });
        }
    }

    /// Compares a member's content with the leaders that it did not meet yet, best first, until enough of their members are kept.
    fn meet(&self, member: Member, scratch: &mut Scratch) -> Met {
        let n_leaders = u32::try_from(self.leaders.contents.len()).unwrap_or(u32::MAX);
        let mut met =
            Met { next: self.states[member.content as usize].next, similar: Vec::new(), compared: Compared::default() };
        let mut tally = self.tally(member);
        if tally.n_kept >= self.keep || met.next == n_leaders {
            return met;
        }
        met.compared.n_ruled_out = self.gather(member.content, met.next, scratch);
        met.next = n_leaders;
        for &number in &scratch.candidates {
            let content = self.leaders.contents[number as usize];
            met.compared.n_compared += 1;
            let Some(overlap) = self.compare.compare(member.content, content) else { continue };
            met.similar.push((content, overlap));
            self.count(&mut tally, member, content, overlap);
            if tally.n_kept >= self.keep {
                met.next = number + 1;
                break;
            }
        }
        met
    }

    /// Lists the leaders from a number on that share a bucket with a content and may be like it, each once, best first. Returns how many
    /// are not like it.
    fn gather(&self, content: u32, from: u32, scratch: &mut Scratch) -> u64 {
        let Scratch { stamps, turn, candidates } = scratch;
        candidates.clear();
        stamps.resize(self.leaders.contents.len(), 0);
        *turn += 1;
        let own = self.compare.profile(content);
        let mut n_ruled_out = 0;
        for &bucket in self.buckets.of(content) {
            let known = &self.leaders.by_bucket[bucket as usize];
            for &number in &known[known.partition_point(|&number| number < from)..] {
                // Met in one bucket, it is known from the others; and a content does not meet itself.
                let idx = number as usize;
                if std::mem::replace(&mut stamps[idx], *turn) == *turn || self.leaders.contents[idx] == content {
                    continue;
                }
                if self.compare.may_be_alike(&own, &self.leaders.profiles[idx]) {
                    candidates.push(number);
                } else {
                    n_ruled_out += 1;
                }
            }
        }
        candidates.sort_unstable();
        n_ruled_out
    }

    fn note(&mut self, content: u32, met: Met) -> Compared {
        let state = &mut self.states[content as usize];
        state.next = met.next;
        state.similar.extend(met.similar);
        met.compared
    }

    fn keep(&mut self, number: u32, member: Member) {
        self.kept.entry((member.content, member.keep_group)).or_insert((0, number)).0 += 1;
        if std::mem::replace(&mut self.states[member.content as usize].is_leader, true) {
            return;
        }
        let Leaders { contents, profiles, by_bucket } = &mut self.leaders;
        let leader = u32::try_from(contents.len()).unwrap_or(u32::MAX);
        let mut is_remembered = false;
        for &bucket in self.buckets.of(member.content) {
            let known = &mut by_bucket[bucket as usize];
            if known.len() < self.leaders_max {
                known.push(leader);
                is_remembered = true;
            }
        }
        if is_remembered {
            contents.push(member.content);
            profiles.push(self.compare.profile(member.content));
        }
    }
}

impl std::ops::AddAssign for Compared {
    fn add_assign(&mut self, other: Self) {
        self.n_compared += other.n_compared;
        self.n_ruled_out += other.n_ruled_out;
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// Compares by a rule; nothing is ruled out.
    struct Rule<F>(F);

    impl<F: Fn(u32, u32) -> bool + Sync> Compare for Rule<F> {
        type Profile = ();

        fn profile(&self, _: u32) {}

        fn may_be_alike(&self, (): &(), (): &()) -> bool {
            true
        }

        fn compare(&self, a: u32, b: u32) -> Option<Overlap> {
            (self.0)(a, b).then_some(Overlap { jaccard: 0.9, containment: 0.95, is_code: false })
        }
    }

    /// The rule, word for word: compares with all kept members that share a bucket, best first.
    fn naive(
        members: &[Member],
        buckets: &[Vec<u32>],
        keep: u32,
        similar: &dyn Fn(u32, u32) -> bool,
    ) -> Vec<Option<u32>> {
        let mut removals: Vec<Option<u32>> = Vec::new();
        for (number, member) in members.iter().enumerate() {
            let is_kept =
                |other: &&usize| removals[**other].is_none() && members[**other].keep_group == member.keep_group;
            let shares = |a: u32, b: u32| buckets[a as usize].iter().any(|bucket| buckets[b as usize].contains(bucket));
            let is_similar = |other: &&usize| {
                let (a, b) = (member.content, members[**other].content);
                a == b || (shares(a, b) && similar(a, b))
            };
            let before: Vec<usize> = (0..number).collect();
            let hits: Vec<usize> = before.iter().filter(is_kept).filter(is_similar).copied().collect();
            let is_enough = hits.len() >= keep as usize;
            removals.push(is_enough.then(|| u32::try_from(hits[0]).expect("small")));
        }
        removals
    }

    fn run(
        members: &[Member],
        buckets: &[Vec<u32>],
        keep: u32,
        batch_max: usize,
        similar: impl Fn(u32, u32) -> bool + Sync,
    ) -> Vec<Option<Removal>> {
        let mut list = Buckets::default();
        for own in buckets {
            list.push_content();
            for &bucket in own {
                list.push_bucket(bucket);
            }
        }
        assert!(buckets.iter().zip(0..).all(|(own, content)| list.of(content) == own));
        decide(members, &list, keep, &Rule(similar), Bounds { leaders_max: LEADERS_PER_BUCKET_MAX, batch_max }).0
    }

    fn members(contents: &[u32]) -> Vec<Member> {
        contents.iter().map(|&content| Member { content, keep_group: 0 }).collect()
    }

    #[test]
    fn the_ends_of_a_chain_stay() {
        let buckets: Vec<Vec<u32>> = (0..41).map(|n: u32| vec![n, n + 1]).collect();
        let chain: Vec<u32> = (0..41).collect();
        let removals = run(&members(&chain), &buckets, 1, 1024, |a, b| a.abs_diff(b) == 1);
        assert_eq!(removals.iter().filter(|removal| removal.is_none()).count(), 21);
        assert!(removals.iter().enumerate().all(|(n, removal)| removal.is_none_or(|r| r.kept as usize == n - 1)));
    }

    #[test]
    fn so_many_as_are_to_be_kept_are_kept() {
        for keep in 1..6 {
            let removals = run(&members(&[0, 0, 0, 0]), &[vec![]], keep, 1024, |_, _| false);
            assert_eq!(removals.iter().filter(|removal| removal.is_none()).count(), (keep as usize).min(4));
        }
    }

    #[test]
    fn a_million_equal_members_are_a_million_look_ups() {
        let removals = run(&members(&vec![0; 1_000_000]), &[vec![0]], 1, 1024, |_, _| panic!("nothing to compare"));
        assert_eq!(removals.iter().filter(|removal| removal.is_none()).count(), 1);
    }

    /// A bucket of strangers costs what it remembers, not what is in it.
    #[test]
    fn a_full_bucket_remembers_its_best() {
        let contents: Vec<u32> = (0..1000).collect();
        let removals = run(&members(&contents), &vec![vec![0]; 1000], 1, 1024, |a, b| a == 999 || a == 998 && b > 255);
        let gone: Vec<usize> = (0..1000).filter(|&n| removals[n].is_some()).collect();
        assert_eq!((gone, removals[999].map(|removal| removal.kept)), (vec![999], Some(0)));
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(2_000))]
        #[test]
        fn decisions_are_those_of_the_rule(
            list in prop::collection::vec((0..8_u32, 0..3_u64), 0..25),
            buckets in prop::collection::vec(prop::collection::vec(0..6_u32, 0..4), 8),
            pairs in prop::collection::btree_set((0..8_u32, 0..8_u32), 0..30),
            keep in 1..4_u32,
            batch_max in 1..12_usize,
        ) {
            let list: Vec<Member> = list.into_iter().map(|(content, keep_group)| Member { content, keep_group }).collect();
            let similar = |a: u32, b: u32| pairs.contains(&(a.min(b), a.max(b)));
            let found = run(&list, &buckets, keep, batch_max, similar);
            let one_by_one = run(&list, &buckets, keep, 1, similar);
            prop_assert_eq!(&found, &one_by_one);
            let expected = naive(&list, &buckets, keep, &similar);
            let removed = |removals: &[Option<Removal>]| removals.iter().map(Option::is_some).collect::<Vec<_>>();
            prop_assert_eq!(removed(&found), expected.iter().map(Option::is_some).collect::<Vec<_>>());
            for (number, removal) in found.iter().enumerate() {
                let Some(Removal { kept, .. }) = removal else { continue };
                let (a, b) = (list[number], list[*kept as usize]);
                prop_assert!(found[*kept as usize].is_none() && a.keep_group == b.keep_group);
                prop_assert!(a.content == b.content || similar(a.content, b.content));
            }
        }
    }
}

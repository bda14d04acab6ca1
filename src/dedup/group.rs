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
//! Cost: for every content the kept contents in its buckets, of which a bucket remembers its best 256; each comparison is bounded by
//! the caller's.

use std::collections::HashMap;

/// Most kept contents that a bucket remembers. Of a template that fills one bucket with thousands of unlike texts, similar ones meet in other
/// buckets too.
pub(super) const LEADERS_PER_BUCKET_MAX: usize = 256;

/// A row of a group; members are given from the best to the worst.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Member {
    /// Its content, an index into the list of contents.
    pub(super) content: u32,
    /// Rows of another value of `keep_per` do not count.
    pub(super) keep_group: u64,
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

/// Why a member goes.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Removal {
    /// The best kept member that it is similar to.
    pub(super) kept: u32,
    pub(super) overlap: Overlap,
}

/// A kept content: its number in the order in which contents came to be kept, and its index.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
struct Leader {
    number: u32,
    content: u32,
}

/// What is known of a content.
#[derive(Debug, Default)]
struct State {
    /// Kept contents that share a bucket and were not compared yet, best first from `next` on.
    waiting: Vec<Leader>,
    next: usize,
    /// Leaders below this number were seen.
    seen: u32,
    /// Kept contents that are similar, best first.
    similar: Vec<(u32, Overlap)>,
    is_leader: bool,
}

/// Decides for every member: `None` to keep it. `buckets` are those of each content, numbered from 0; `keep` of a cluster stay.
/// `compare(a, b)` returns how alike two different contents are if they are similar enough.
pub(super) fn decide<E>(
    members: &[Member],
    buckets: &[Vec<u32>],
    keep: u32,
    mut compare: impl FnMut(u32, u32) -> Result<Option<Overlap>, E>,
) -> Result<Vec<Option<Removal>>, E> {
    let n_buckets = buckets.iter().flatten().max().map_or(0, |&bucket| bucket as usize + 1);
    let mut leaders: Vec<Vec<Leader>> = vec![Vec::new(); n_buckets];
    let mut states: Vec<State> = Vec::new();
    states.resize_with(buckets.len(), State::default);
    // Of a content and a value of `keep_per`: how many members are kept, and the best of them.
    let mut kept: HashMap<(u32, u64), (u32, u32)> = HashMap::new();
    let mut n_leaders = 0;
    // Of each leader: the last member, counted from 1, that met it in a bucket.
    let mut stamps: Vec<u32> = Vec::new();
    let mut removals = Vec::with_capacity(members.len());
    for (number, member) in (0..).zip(members) {
        let Member { content, keep_group } = *member;
        let own = &buckets[content as usize];
        let state = &mut states[content as usize];
        let mut n_similar = 0;
        let mut best: Option<Removal> = None;
        let mut count = |content: u32, overlap: Overlap| {
            if let Some(&(n_kept, first)) = kept.get(&(content, keep_group)) {
                n_similar += n_kept;
                best.get_or_insert(Removal { kept: first, overlap });
            }
            n_similar >= keep
        };
        let mut is_enough = count(content, Overlap::EQUAL);
        let mut known = state.similar.iter();
        while !is_enough && let Some(&(other, overlap)) = known.next() {
            is_enough = count(other, overlap);
        }
        if !is_enough {
            gather(state, own, &leaders, content, &mut stamps, number + 1);
        }
        while !is_enough && state.next < state.waiting.len() {
            let other = state.waiting[state.next].content;
            state.next += 1;
            if let Some(overlap) = compare(content, other)? {
                state.similar.push((other, overlap));
                is_enough = count(other, overlap);
            }
        }
        if is_enough {
            removals.push(best);
            continue;
        }
        removals.push(None);
        let entry = kept.entry((content, keep_group)).or_insert((0, number));
        entry.0 += 1;
        if !std::mem::replace(&mut state.is_leader, true) {
            let leader = Leader { number: n_leaders, content };
            n_leaders += 1;
            stamps.push(0);
            for &bucket in own {
                let known = &mut leaders[bucket as usize];
                if known.len() < LEADERS_PER_BUCKET_MAX {
                    known.push(leader);
                }
            }
        }
    }
    Ok(removals)
}

/// Adds the leaders that came to the content's buckets since it was looked at last, each once.
fn gather(state: &mut State, buckets: &[u32], leaders: &[Vec<Leader>], content: u32, stamps: &mut [u32], stamp: u32) {
    let n_leaders = u32::try_from(stamps.len()).unwrap_or(u32::MAX);
    if state.seen == n_leaders {
        return;
    }
    state.waiting.drain(..std::mem::take(&mut state.next));
    let start = state.waiting.len();
    for &bucket in buckets {
        let known = &leaders[bucket as usize];
        let first_new = known.partition_point(|leader| leader.number < state.seen);
        for leader in known[first_new..].iter().filter(|leader| leader.content != content) {
            // Met in one bucket, it is known from the others.
            if std::mem::replace(&mut stamps[leader.number as usize], stamp) != stamp {
                state.waiting.push(*leader);
            }
        }
    }
    state.waiting[start..].sort_unstable();
    state.seen = n_leaders;
}

#[cfg(test)]
mod tests {
    use std::convert::Infallible;

    use proptest::prelude::*;

    use super::*;

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
        similar: &dyn Fn(u32, u32) -> bool,
    ) -> Vec<Option<Removal>> {
        let alike = Overlap { jaccard: 0.9, containment: 0.95, is_code: false };
        let compare = |a, b| Ok::<_, Infallible>(similar(a, b).then_some(alike));
        let Ok(removals) = decide(members, buckets, keep, compare);
        removals
    }

    fn members(contents: &[u32]) -> Vec<Member> {
        contents.iter().map(|&content| Member { content, keep_group: 0 }).collect()
    }

    #[test]
    fn the_ends_of_a_chain_stay() {
        let buckets: Vec<Vec<u32>> = (0..41).map(|n: u32| vec![n, n + 1]).collect();
        let chain: Vec<u32> = (0..41).collect();
        let removals = run(&members(&chain), &buckets, 1, &|a, b| a.abs_diff(b) == 1);
        assert_eq!(removals.iter().filter(|removal| removal.is_none()).count(), 21);
        assert!(removals.iter().enumerate().all(|(n, removal)| removal.is_none_or(|r| r.kept as usize == n - 1)));
    }

    #[test]
    fn so_many_as_are_to_be_kept_are_kept() {
        for keep in 1..6 {
            let removals = run(&members(&[0, 0, 0, 0]), &[vec![]], keep, &|_, _| false);
            assert_eq!(removals.iter().filter(|removal| removal.is_none()).count(), (keep as usize).min(4));
        }
    }

    #[test]
    fn a_million_equal_members_are_a_million_look_ups() {
        let removals = run(&members(&vec![0; 1_000_000]), &[vec![0]], 1, &|_, _| panic!("nothing to compare"));
        assert_eq!(removals.iter().filter(|removal| removal.is_none()).count(), 1);
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(2_000))]
        #[test]
        fn decisions_are_those_of_the_rule(
            list in prop::collection::vec((0..8_u32, 0..3_u64), 0..25),
            buckets in prop::collection::vec(prop::collection::vec(0..6_u32, 0..4), 8),
            pairs in prop::collection::btree_set((0..8_u32, 0..8_u32), 0..30),
            keep in 1..4_u32,
        ) {
            let list: Vec<Member> = list.into_iter().map(|(content, keep_group)| Member { content, keep_group }).collect();
            let similar = |a: u32, b: u32| pairs.contains(&(a.min(b), a.max(b)));
            let found = run(&list, &buckets, keep, &similar);
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

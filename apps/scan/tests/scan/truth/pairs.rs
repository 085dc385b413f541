// SPDX-License-Identifier: MIT OR Apache-2.0
//! Cases that have every value and every pair of values of some dimensions, where the whole product would be far too many.

use std::collections::BTreeSet;

/// A value of a dimension: the number of the dimension, and that of the value.
type Value = (usize, usize);

/// Cases, each a value for each dimension, of which dimension `d` has `sizes[d]`, so that every pair that `allows` is in one. It is
/// asked about cases that are not complete yet, and a case that it allows can be completed.
pub(crate) fn cases(sizes: &[usize], allows: impl Fn(&[Option<usize>]) -> bool) -> Vec<Vec<usize>> {
    let mut open = pairs(sizes);
    let mut cases = Vec::new();
    while let Some((first, second)) = open.first().copied() {
        let mut case = vec![None; sizes.len()];
        (case[first.0], case[second.0]) = (Some(first.1), Some(second.1));
        open.remove(&(first, second));
        if allows(&case) && complete(&mut case, sizes, &allows, &open) {
            let case: Vec<usize> = case.into_iter().flatten().collect();
            open.retain(|(one, other)| case[one.0] != one.1 || case[other.0] != other.1);
            cases.push(case);
        }
    }
    cases
}

fn pairs(sizes: &[usize]) -> BTreeSet<(Value, Value)> {
    let values = |dimension: usize| (0..sizes[dimension]).map(move |value| (dimension, value));
    let all = (0..sizes.len()).flat_map(|one| (one + 1..sizes.len()).map(move |other| (one, other)));
    all.flat_map(|(one, other)| values(one).flat_map(move |first| values(other).map(move |second| (first, second)))).collect()
}

/// Gives each other dimension the value that is in most open pairs with the values before. Returns false if none is allowed.
fn complete(
    case: &mut [Option<usize>],
    sizes: &[usize],
    allows: impl Fn(&[Option<usize>]) -> bool,
    open: &BTreeSet<(Value, Value)>,
) -> bool {
    (0..sizes.len()).all(|dimension| {
        if case[dimension].is_some() {
            return true;
        }
        let gain = |value: usize| {
            let is_open = |(other, known): (usize, &Option<usize>)| {
                let pair = |known: usize| ((other, known).min((dimension, value)), (other, known).max((dimension, value)));
                known.is_some_and(|known| open.contains(&pair(known)))
            };
            case.iter().enumerate().filter(|known| is_open(*known)).count()
        };
        let is_allowed = |value: &usize| {
            let mut tried = case.to_vec();
            tried[dimension] = Some(*value);
            allows(&tried)
        };
        // Of values that are as good, another one each time.
        let others = (0..sizes[dimension]).map(|value| (value + open.len()) % sizes[dimension]);
        let best = others.filter(is_allowed).max_by_key(|value| gain(*value));
        case[dimension] = best;
        best.is_some()
    })
}

#[test]
fn every_pair_that_is_allowed_is_in_a_case() {
    let sizes = [5, 2, 3, 4];
    // The first value of the first dimension has no second value of the second one.
    let allows = |case: &[Option<usize>]| (case[0], case[1]) != (Some(0), Some(1));
    let cases = cases(&sizes, allows);
    let has = |first: Value, second: Value| cases.iter().any(|case| case[first.0] == first.1 && case[second.0] == second.1);
    let left: Vec<_> = pairs(&sizes).into_iter().filter(|(first, second)| !has(*first, *second)).collect();
    assert_eq!(left, [((0, 0), (1, 1))]);
    assert!(cases.len() < 30, "{} cases of 120", cases.len());
}

// SPDX-License-Identifier: MIT OR Apache-2.0
//! Problems, each reported once for its cause.

use std::collections::VecDeque;

use crate::failure::Problem;

/// Number of different problems that are remembered. More are not reported.
const MAX_KNOWN: usize = 64;

/// Problems that were or will be reported. If a second message is lost for the same cause, nothing is reported. A message that
/// is kept does not show that the cause is gone, so it does not reset this.
#[derive(Debug, Default)]
pub struct Problems {
    known: Vec<Problem>,
    open: VecDeque<Problem>,
}

impl Problems {
    /// Notes a problem. It is reported unless one with the same cause is known.
    pub fn note(&mut self, problem: Problem) {
        if self.known.len() < MAX_KNOWN && !self.known.iter().any(|known| known.has_cause_of(&problem)) {
            self.known.push(problem.clone());
            self.open.push_back(problem);
        }
    }

    /// Everything in the spool is delivered, so a problem of the spool that follows is another one.
    pub fn spool_is_empty(&mut self) {
        self.known.retain(|problem| !problem.ends_with_an_empty_spool());
    }

    /// The next problem to report.
    pub fn take(&mut self) -> Option<Problem> {
        self.open.pop_front()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::failure::Rejection;

    fn reported(problems: &mut Problems) -> Vec<Problem> {
        std::iter::from_fn(|| problems.take()).collect()
    }

    #[test]
    fn a_cause_is_reported_once_whatever_its_numbers() {
        let mut problems = Problems::default();
        let large = |bytes| Problem::Rejected(Rejection::TooLarge { bytes, maximum: 10 });
        let refused = |name: &str| Problem::Rejected(Rejection::Refused(name.into()));
        for problem in [large(11), refused("NotAuthorized"), large(12), refused("NotAuthorized"), refused("TopicNameInvalid")] {
            problems.note(problem);
        }
        assert_eq!(reported(&mut problems), [large(11), refused("NotAuthorized"), refused("TopicNameInvalid")]);
        problems.note(large(13));
        assert_eq!(reported(&mut problems), []);
    }

    #[test]
    fn a_problem_of_the_spool_is_reported_again_after_the_spool_was_empty() {
        let mut problems = Problems::default();
        let refused = Problem::Rejected(Rejection::Refused("NotAuthorized".into()));
        [Problem::SpoolFull, refused.clone(), Problem::SpoolFull].into_iter().for_each(|problem| problems.note(problem));
        problems.spool_is_empty();
        [Problem::SpoolFull, refused.clone()].into_iter().for_each(|problem| problems.note(problem));
        assert_eq!(reported(&mut problems), [Problem::SpoolFull, refused, Problem::SpoolFull]);
    }

    #[test]
    fn what_is_remembered_is_bounded() {
        let mut problems = Problems::default();
        (0..1_000).for_each(|number| problems.note(Problem::SpoolWrite(number.to_string())));
        assert_eq!(reported(&mut problems).len(), MAX_KNOWN);
    }
}

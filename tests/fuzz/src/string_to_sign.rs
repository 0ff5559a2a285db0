//! One signature, one meaning. The input has three parts between empty lines: how to sign and what, a second head, or
//! nothing if it is the same, and changes of the second one, of four bytes each. A header after a `-` is not signed.

use presigned::auth::Mechanism;

use super::edits::apply;
use super::head::Head;
use super::reading::{difference, leaves_a_choice};
use super::signing::{Scheme, examined, put_in, sign};

const CHANGES_MAX: usize = 8;

pub fn check(data: &[u8]) {
    let Some((scheme, signed, other)) = claims(data) else { return };
    let Some(one) = sign(scheme, &signed) else { return };
    let Some(head) = put_in(&other, &one.signature) else { return };
    let Some(Ok(other)) = examined(&head).map(|examination| examination.verdict) else { return };
    // Without its signature a request is anybody's.
    if other.mechanism() != Mechanism::Anonymous && ![&one.verified, &other].into_iter().any(leaves_a_choice)
    {
        let (ours, theirs) = (signed.bytes(), head.bytes());
        let (ours, theirs) = (ours.escape_ascii(), theirs.escape_ascii());
        assert_eq!(difference(&one.verified, &other), None, "\n{ours}\n{theirs}");
    }
}

/// A request to be signed, and another that its signature may fit.
fn claims(data: &[u8]) -> Option<(Scheme, Head, Head)> {
    let (first, rest) = part(data);
    let (second, changes) = part(rest);
    let at = first.iter().position(|byte| *byte == b' ')?;
    let (scheme, first) = first.split_at_checked(at)?;
    let scheme = Scheme::parse(scheme)?;
    let mut head = Head::parse(first.get(1..)?)?;
    let mut signed: Vec<String> = head.names().filter(|name| !name.starts_with('-')).collect();
    signed.sort_unstable();
    signed.dedup();
    for line in head.lines.iter_mut().filter(|line| line.starts_with(b"-")) {
        line.remove(0);
    }
    let other = if second.is_empty() { head.clone() } else { Head::parse(second)? };
    let claim = scheme.claim(&head, &signed);
    let changes = changes.as_chunks().0.iter().take(CHANGES_MAX);
    // A change that cannot be made is none.
    let other = changes
        .fold(scheme.claim(&other, &signed), |head, change| apply(head.clone(), *change).unwrap_or(head));
    Some((scheme, claim, other))
}

/// What stands before and after the first empty line.
fn part(data: &[u8]) -> (&[u8], &[u8]) {
    let at = data.windows(2).position(|pair| pair == b"\n\n");
    let split = at.and_then(|at| Some((data.get(..at)?, data.get(at + 2..)?)));
    split.unwrap_or((data, b""))
}

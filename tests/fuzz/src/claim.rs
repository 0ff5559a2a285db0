//! Requests that nobody signed.

use presigned::auth::{Claimed, Identity, Mechanism};

use super::head::Head;
use super::signing::{SECRET_KEY, Scheme, examined};

pub fn check(data: &[u8]) {
    let Some(head) = Head::parse(data) else { return };
    if let Some(request) = head.request() {
        let claimed = Claimed::of(&request);
        assert!(claimed.url_id().is_none_or(|id| id.len() == 16));
    }
    let Some(examination) = examined(&head) else { return };
    let shown = match &examination.verdict {
        Ok(verified) => {
            assert!(matches!(verified.identity(), Identity::Anonymous), "{verified:?}");
            assert_eq!(verified.mechanism(), Mechanism::Anonymous);
            format!("{verified:?}")
        }
        Err(refused) => format!("{refused:?} {:?} {:?}", refused.error.message(), refused.error.details()),
    };
    let Some(text) = &examination.trace.string_to_sign else { return };
    let sent = head.bytes();
    let is_sent = |text: &str| sent.windows(text.len()).any(|window| window == text.as_bytes());
    for secret in [SECRET_KEY.to_owned(), Scheme::V4Query.signature(text), Scheme::V2Header.signature(text)] {
        assert!(!shown.contains(&secret) || is_sent(&secret), "a secret is shown");
    }
}

//! Percent-encoding of texts made of what has a meaning in it.

use crate::fuzz;
use crate::random::Random;

const PIECES: [&str; 24] = [
    "%",
    "%2",
    "%25",
    "%2F",
    "%2f",
    "%7E",
    "%7e",
    "%00",
    "%C3%A9",
    "%C3",
    "%e2%82%ac",
    "+",
    " ",
    "/",
    "~",
    "*",
    "&",
    "=",
    ".",
    "-_",
    "aZ09",
    "\u{e9}",
    "\u{1f600}",
    "\0",
];

#[test]
fn decoding_and_encoding_agree_with_another_crate() {
    let mut random = Random::new(1);
    for _ in 0..20_000 {
        let text: String = (0..random.below(8)).map(|_| *random.choose(&PIECES)).collect();
        fuzz::uri::check(text.as_bytes());
        fuzz::query::check(text.as_bytes());
    }
    for byte in 0..=u8::MAX {
        for text in [format!("%{byte:02x}"), format!("%{byte:02X}"), char::from(byte).to_string()] {
            fuzz::uri::check(text.as_bytes());
            fuzz::query::check(format!("a={text}").as_bytes());
        }
    }
}

//! Encoded words of RFC 2047: how text that is not ASCII travels in a header, read and written as S3 does, which
//! does it as the mail library of Java.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

use super::uri::hex_digit;

/// Most characters between the marks of an encoded word: with them it has the 75 that RFC 2047 allows.
const ENCODED_MAX: usize = 63;

/// The text of a header value: encoded words are decoded, and white space between two of them is dropped. What
/// cannot be decoded stays as it is.
pub fn decode(text: &str) -> String {
    if !text.contains("=?") {
        return text.to_owned();
    }
    let mut out = String::with_capacity(text.len());
    let (mut rest, mut after_word) = (text, false);
    while !rest.is_empty() {
        let word_at = rest.find(|c: char| !is_white(c)).unwrap_or(rest.len());
        let (white, from_word) = rest.split_at(word_at);
        let (word, behind) = from_word.split_at(from_word.find(is_white).unwrap_or(from_word.len()));
        let decoded = decode_word(word);
        if !(after_word && decoded.is_some()) {
            out.push_str(white);
        }
        after_word = decoded.is_some();
        out.push_str(decoded.as_deref().unwrap_or(word));
        rest = behind;
    }
    out
}

fn is_white(c: char) -> bool {
    matches!(c, ' ' | '\t' | '\r' | '\n')
}

/// The text of `=?CHARSET?ENCODING?TEXT?=` and what follows it in the same word.
fn decode_word(word: &str) -> Option<String> {
    let (charset, rest) = word.strip_prefix("=?")?.split_once('?')?;
    let (encoding, rest) = rest.split_once('?')?;
    let (text, behind) = rest.split_once("?=")?;
    let bytes = match encoding {
        "B" | "b" => decode_base64(text.as_bytes())?,
        "Q" | "q" => decode_quoted(text.as_bytes()),
        _ => return None,
    };
    let mut decoded = match charset.to_ascii_lowercase().as_str() {
        "utf-8" => String::from_utf8_lossy(&bytes).into_owned(),
        "iso-8859-1" | "us-ascii" => bytes.iter().copied().map(char::from).collect(),
        _ => return None,
    };
    decoded.push_str(behind);
    Some(decoded)
}

/// The bytes of each four characters. One that is none of base64's counts as the last of them, which S3 was recorded
/// to do; `None` if there are not four.
fn decode_base64(text: &[u8]) -> Option<Vec<u8>> {
    let mut out = Vec::with_capacity(text.len() / 4 * 3);
    for four in text.chunks(4) {
        let [one, two, three, four] = *four else {
            return None;
        };
        let kept = match (three, four) {
            (b'=', b'=') => 1,
            (_, b'=') => 2,
            _ => 3,
        };
        let number = [one, two, three, four].iter().fold(0_u32, |number, &byte| number << 6 | sextet(byte));
        out.extend(number.to_be_bytes().iter().skip(1).take(kept));
    }
    Some(out)
}

fn sextet(byte: u8) -> u32 {
    match byte {
        b'A'..=b'Z' => u32::from(byte - b'A'),
        b'a'..=b'z' => u32::from(byte - b'a') + 26,
        b'0'..=b'9' => u32::from(byte - b'0') + 52,
        b'+' => 62,
        _ => 63,
    }
}

fn decode_quoted(text: &[u8]) -> Vec<u8> {
    let mut out = Vec::with_capacity(text.len());
    let mut rest = text;
    while let Some((&byte, behind)) = rest.split_first() {
        let (decoded, after) = match (byte, behind) {
            (b'_', _) => (b' ', behind),
            (b'=', [high, low, after @ ..]) => match (hex_digit(*high), hex_digit(*low)) {
                (Some(high), Some(low)) => (high << 4 | low, after),
                _ => (byte, behind),
            },
            _ => (byte, behind),
        };
        out.push(decoded);
        rest = after;
    }
    out
}

/// Whether a text can stand in a header as it is.
pub fn is_plain(text: &str) -> bool {
    text.bytes().all(|byte| matches!(byte, b' '..=b'~' | b'\t'))
}

/// A text that is not plain as encoded words: quoted if most of it is ASCII, else base64. Java counts in units of
/// UTF-16.
pub fn encode(text: &str) -> String {
    let ascii = text.chars().filter(|&c| matches!(c, ' '..='~' | '\t' | '\r' | '\n')).count();
    let encoding = match ascii > text.encode_utf16().count() - ascii {
        true => Encoding::Quoted,
        false => Encoding::Base64,
    };
    let mut words = String::new();
    encode_words(text, encoding, &mut words);
    words
}

#[derive(Clone, Copy)]
enum Encoding {
    Quoted,
    Base64,
}

impl Encoding {
    /// How long a text becomes.
    fn length(self, text: &str) -> usize {
        match self {
            Self::Quoted => text.bytes().map(|byte| if stays(byte) || byte == b' ' { 1 } else { 3 }).sum(),
            Self::Base64 => text.len().div_ceil(3) * 4,
        }
    }
}

/// Encodes a text as one word, or, if that would be too long, each half of it in this way.
fn encode_words(text: &str, encoding: Encoding, words: &mut String) {
    let middle = middle(text);
    if encoding.length(text) > ENCODED_MAX && middle > 0 {
        let (front, back) = text.split_at(middle);
        encode_words(front, encoding, words);
        words.push(' ');
        return encode_words(back, encoding, words);
    }
    match encoding {
        Encoding::Base64 => words.extend(["=?UTF-8?B?", &STANDARD.encode(text), "?="]),
        Encoding::Quoted => {
            words.push_str("=?UTF-8?Q?");
            for byte in text.bytes() {
                match byte {
                    b' ' => words.push('_'),
                    byte if stays(byte) => words.push(char::from(byte)),
                    byte => words.push_str(&format!("={byte:02X}")),
                }
            }
            words.push_str("?=");
        }
    }
}

/// Where a text is halved: in the middle of its units of UTF-16, but before a character that lies across it.
fn middle(text: &str) -> usize {
    let half = text.encode_utf16().count() / 2;
    let mut units = 0;
    let across = text.char_indices().find(|(_, c)| {
        units += c.len_utf16();
        units > half
    });
    across.map_or(0, |(at, _)| at)
}

/// Whether a byte stands for itself in a quoted word.
fn stays(byte: u8) -> bool {
    matches!(byte, b'!'..=b'~') && !matches!(byte, b'=' | b'_' | b'?')
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Recorded: test_user_metadata_rfc2047_encoded, test_user_metadata_rfc2047_bad_b64_encoded.
    #[test]
    fn words_of_recordings() {
        for (text, word) in [
            ("\u{c4}M\u{c4}Z\u{d5}\u{d1} S3", "=?UTF-8?Q?=C3=84M=C3=84Z=C3=95=C3=91_S3?="),
            (
                "test_\u{2014}_file%E2%80%94_\u{e9}_2?.pdf",
                "=?UTF-8?Q?test=5F=E2=80=94=5Ffile%E2%80%94=5F=C3=A9=5F2=3F.pdf?=",
            ),
            ("\0\u{1}\u{2}\u{3}", "=?UTF-8?B?AAECAw==?="),
            ("Mini\u{c3}\u{b6}", "=?UTF-8?Q?Mini=C3=83=C2=B6?="),
        ] {
            assert!(!is_plain(text));
            assert_eq!(encode(text), word);
            assert_eq!(decode(word), text);
        }
        assert_eq!(encode(&decode("=?UTF-8?B?=GGG?=")), "=?UTF-8?B?77+9Ye+/vQ==?=");
        assert_eq!(decode("=?UTF-8?B?YWJj?="), "abc");
    }

    #[test]
    fn words_among_others() {
        assert_eq!(decode("a =?utf-8?q?b_c?= =?UTF-8?B?ZA==?=  e"), "a b cd  e");
        assert_eq!(decode("=?iso-8859-1?Q?caf=E9?=!"), "caf\u{e9}!");
        for text in
            ["=?UTF-8?X?YWJj?=", "=?UTF-8?B?YWJ?=", "=?koi8-r?B?YWJj?=", "=?UTF-8?B", "=?", "plain = text?"]
        {
            assert_eq!(decode(text), text);
        }
    }

    /// A line end would end the header.
    #[test]
    fn control_characters_are_never_plain() {
        let text = decode("=?UTF-8?Q?a=0D=0Ax-amz-meta-b:_c?=");
        assert!(!is_plain(&text));
        assert_eq!(encode(&text), "=?UTF-8?Q?a=0D=0Ax-amz-meta-b:_c?=");
    }
}

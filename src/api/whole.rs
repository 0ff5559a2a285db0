//! Reading whole bodies, for copies whose digests nobody knows yet.

use super::exchange::{Call, blocking};
use crate::s3::error::{Error, ErrorCode};
use crate::store::{self, BlobReader};

/// Reads of a body between two looks at whether anybody waits for what comes of it: a megabyte each.
const READS_AT_ONCE: usize = 8;

/// Reads a body to its end, for what `take` makes of it: few at once, and each only for as long as somebody waits for what
/// comes of it. `failed` says what an error of the store means.
///
/// # Errors
/// `SlowDown`, and what the store refuses.
pub(super) async fn read_whole<T: Send + 'static>(
    call: &Call<'_>,
    reader: BlobReader,
    state: T,
    take: fn(&mut T, &[u8]),
    failed: impl Fn(store::Error) -> Error,
) -> Result<T, Error> {
    let _turn = call.context.bounds.turn_to_read().await?;
    let _files = call.context.bounds.files(reader.files())?;
    let (mut reader, mut state, mut buffer) = (reader, state, Vec::new());
    loop {
        if call.peer.line.is_gone() {
            return Err(ErrorCode::RequestTimeout.error().at("client gone"));
        }
        let read = blocking(move || {
            let mut more = Ok(true);
            for _ in 0..READS_AT_ONCE {
                more = reader.read(&mut buffer);
                if !matches!(more, Ok(true)) {
                    break;
                }
                take(&mut state, &buffer);
            }
            more.map(|more| (more, reader, state, buffer))
        });
        let more;
        (more, reader, state, buffer) = read.await?.map_err(|error| failed(error.into()))?;
        if !more {
            return Ok(state);
        }
    }
}

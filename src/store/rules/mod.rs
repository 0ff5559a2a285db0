//! What S3 says of writes, copies, completions and quotas: decided the same way in every engine, of what the engine knows at
//! that moment. Facts in, facts out: what clients are told of them is said above.

pub(super) mod completion;
pub(super) mod copy;
pub(super) mod usage;
pub(super) mod write;

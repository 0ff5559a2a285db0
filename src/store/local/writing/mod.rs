//! Changes: how they are made durable, what is removed afterwards, and what a start finds unfinished.

pub(super) mod commit;
pub(super) mod reclaim;
pub(super) mod recover;

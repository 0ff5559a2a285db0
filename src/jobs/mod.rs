//! What happens without a request.

mod lifecycle;

pub use lifecycle::apply_lifecycles;

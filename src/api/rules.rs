//! The lifecycle rules of buckets, parsed once for as long as they are the same: they are asked about every object.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

use crate::s3::lifecycle::Lifecycle;
use crate::s3::name::BucketName;
use crate::store::{Error, Setting, Store};

/// Most buckets whose rules are kept parsed.
const PARSED_MAX: usize = 128;

/// Rules, and the document that they are from.
#[derive(Debug, Default)]
pub(super) struct Rules {
    pub document: String,
    pub lifecycle: Lifecycle,
}

/// The rules of all buckets that were asked for lately.
#[derive(Debug, Default)]
pub struct Lifecycles(Mutex<HashMap<BucketName, Arc<Rules>>>);

impl Lifecycles {
    /// The rules of a bucket as they are now.
    pub(super) fn rules(&self, store: &Store, bucket: &BucketName) -> Result<Arc<Rules>, Error> {
        let document = store.setting(bucket, Setting::Lifecycle)?.unwrap_or_default();
        let mut parsed = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(rules) = parsed.get(bucket).filter(|rules| rules.document == document) {
            return Ok(Arc::clone(rules));
        }
        let broken = |error| Error::Index(format!("the lifecycle of {bucket} cannot be read: {error}"));
        let lifecycle = match document.as_str() {
            "" => Lifecycle::default(),
            document => Lifecycle::parse(document.as_bytes()).map_err(broken)?,
        };
        if parsed.len() >= PARSED_MAX {
            parsed.clear();
        }
        let rules = Arc::new(Rules { document, lifecycle });
        parsed.insert(bucket.clone(), Arc::clone(&rules));
        Ok(rules)
    }
}

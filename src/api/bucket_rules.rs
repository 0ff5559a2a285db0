//! What the configuration of buckets says, parsed once for as long as it is the same: it is asked about every object.

use std::collections::HashMap;
use std::sync::{Arc, LazyLock, Mutex, PoisonError};

use crate::s3::lifecycle::Lifecycle;
use crate::s3::name::BucketName;
use crate::store::model::{Bucket, Revision, Setting};
use crate::store::{Error, Store};

/// Most buckets whose configuration is kept parsed.
const PARSED_MAX: usize = 128;

/// The configuration of a bucket that matters to the requests of its objects.
#[derive(Debug, Default)]
pub struct BucketRules {
    /// When its objects expire.
    pub lifecycle: Lifecycle,
}

/// The rules of a bucket of which none were ever given.
static NONE: LazyLock<Arc<BucketRules>> = LazyLock::new(Arc::default);

/// The rules of all buckets that were asked for lately, each with the state of the bucket's configuration that says them.
#[derive(Debug, Default)]
pub struct RulesCache(Mutex<HashMap<BucketName, (Revision, Arc<BucketRules>)>>);

impl RulesCache {
    /// The rules of a bucket in the state of its configuration that it was found in, or in a later one.
    ///
    /// # Errors
    /// Returns [`Error::Index`] if they cannot be read.
    pub async fn rules(&self, store: &Store, bucket: &Bucket) -> Result<Arc<BucketRules>, Error> {
        if bucket.revision.is_first() {
            return Ok(Arc::clone(&NONE));
        }
        if let Some((_, rules)) = self.parsed().get(&bucket.name).filter(|(of, _)| *of == bucket.revision) {
            return Ok(Arc::clone(rules));
        }
        let rules = Arc::new(read(store, &bucket.name).await?);
        let mut parsed = self.parsed();
        if parsed.len() >= PARSED_MAX {
            parsed.clear();
        }
        parsed.insert(bucket.name.clone(), (bucket.revision, Arc::clone(&rules)));
        Ok(rules)
    }

    fn parsed(&self) -> std::sync::MutexGuard<'_, HashMap<BucketName, (Revision, Arc<BucketRules>)>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

async fn read(store: &Store, bucket: &BucketName) -> Result<BucketRules, Error> {
    let broken = |error| Error::Index(format!("the lifecycle of {bucket} cannot be read: {error}"));
    let lifecycle = match store.setting(bucket, Setting::Lifecycle).await? {
        Some(document) => Lifecycle::parse(document.as_bytes()).map_err(broken)?,
        None => Lifecycle::default(),
    };
    Ok(BucketRules { lifecycle })
}

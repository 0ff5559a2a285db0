//! Pages of unfinished uploads.

use super::list::{AFTER_NUL, Rows};
use super::record::decode;
use super::tables::{Row, parse_upload_key};
use super::upload_record::UploadRecord;
use crate::s3::listing::{Page, Seek, Selection, Sorted, page};
use crate::s3::name::{BucketName, UploadId};
use crate::store::Error;
use crate::store::local::Store;
use crate::store::model::Upload;

impl Store {
    /// A page of unfinished uploads, by key and then by start; `after` names the last upload of the page before.
    ///
    /// # Errors
    /// [`Error::NoSuchBucket`], and the index's. Blocks.
    pub fn uploads(
        &self,
        name: &BucketName,
        selection: &Selection,
        after: Option<UploadId>,
    ) -> Result<Page<Upload>, Error> {
        let index = self.index();
        let transaction = index.read()?;
        let bucket = index.bucket(&transaction, name)?.id;
        let rows = Rows::new(&transaction, index.uploads, bucket);
        page(&mut Uploads { rows, marker: selection.after.clone().zip(after) }, selection)
    }
}

struct Uploads<'t> {
    rows: Rows<'t>,
    /// Key and id of the last upload of the page before.
    marker: Option<(String, UploadId)>,
}

impl Uploads<'_> {
    fn entry(row: Option<Row<'_>>) -> Result<Option<(String, Upload)>, Error> {
        let Some((key, value)) = row else {
            return Ok(None);
        };
        let (key, id) = parse_upload_key(key)?;
        let upload = decode::<UploadRecord>(value)?.upload(key.clone(), id);
        Ok(Some((key.as_str().to_owned(), upload)))
    }
}

impl Sorted for Uploads<'_> {
    type Item = Upload;
    type Error = Error;

    fn seek(&mut self, from: Seek<'_>) -> Result<Option<(String, Upload)>, Error> {
        match self.marker.take().filter(|(key, _)| from == Seek::After(key)) {
            // After the marker's upload, where that is what the page starts with.
            Some((key, id)) => {
                Self::entry(self.rows.seek(&[key.as_bytes(), b"\0", id.as_bytes(), b"\0"].concat())?)
            }
            None => Self::entry(self.rows.enter(from, AFTER_NUL)?),
        }
    }

    fn next(&mut self) -> Result<Option<(String, Upload)>, Error> {
        Self::entry(self.rows.next()?)
    }
}

//! Whether a bucket keeps versions.

use crate::api::body::Body;
use crate::api::call::BucketCall;
use crate::api::error::from_store;
use crate::api::intake::{Intake, receive_document};
use crate::api::reply::{Reply, xml};
use crate::auth::BodyKind;
use crate::s3::check::Check;
use crate::s3::error::{Error, ErrorCode};
use crate::s3::xml::{Element, Writer};
use crate::store::model::Versioning;

const VERSIONING_BYTES_MAX: u64 = 4 * 1024;

/// <https://docs.aws.amazon.com/AmazonS3/latest/API/API_GetBucketVersioning.html>
///
/// Of a bucket where versioning was never switched on S3 says nothing.
pub(in crate::api) fn get(call: &BucketCall<'_>) -> Reply {
    let status = match call.owned.versioning {
        Versioning::Off => None,
        Versioning::Enabled => Some("Enabled"),
        Versioning::Suspended => Some("Suspended"),
    };
    let mut writer = Writer::answer("VersioningConfiguration");
    writer.optional("Status", status).close("VersioningConfiguration");
    xml(writer.finish())
}

/// <https://docs.aws.amazon.com/AmazonS3/latest/API/API_PutBucketVersioning.html>
pub(in crate::api) async fn put(call: &BucketCall<'_>, body: &mut Intake) -> Result<Reply, Error> {
    let document =
        receive_document(call, body, BodyKind::Document { digest_required: false }, VERSIONING_BYTES_MAX)
            .await?;
    let configuration = Element::parse(&document, "VersioningConfiguration")?;
    configuration.only(&["Status", "MfaDelete"])?;
    if configuration.child("MfaDelete")?.is_some_and(|delete| delete.trim() != "Disabled") {
        return Err(Error::not_implemented("MfaDelete is not implemented here").check(Check::Versioning));
    }
    let versioning = match configuration.child("Status")?.map(str::trim) {
        None | Some("") => return Err(ErrorCode::IllegalVersioningConfigurationException.error()),
        Some("Enabled") => Versioning::Enabled,
        Some("Suspended") => Versioning::Suspended,
        Some(_) => return Err(ErrorCode::MalformedXML.error()),
    };
    let set = call.store().set_versioning(call.bucket().clone(), versioning).await;
    set.map_err(|error| from_store(error, call.request()))?;
    Ok(Reply::new(Body::empty()))
}

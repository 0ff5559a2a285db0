//! The operations of S3 and the one table that finds them: method, kind of target and sub-resource.

use std::collections::HashSet;
use std::sync::LazyLock;

use http::Method;

use super::action::Action;
use super::check::Check;
use super::error::{Error, ErrorCode};
use super::header;
use super::target::Target;
use super::uri::Query;

/// The kind of resource an operation acts on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum On {
    Service,
    Bucket,
    Object,
}

/// What must stand in the request besides method and target.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Marker {
    /// Nothing: the row for requests without any sub-resource.
    Plain,
    /// This query parameter.
    Query(&'static str),
    /// This query parameter with this value.
    QueryValue(&'static str, &'static str),
    /// Both query parameters.
    Both(&'static str, &'static str),
    /// Both query parameters, and a copy source.
    BothAndCopySource(&'static str, &'static str),
    /// A copy source and no sub-resource.
    CopySource,
}

struct Row {
    operation: Operation,
    method: Method,
    on: On,
    marker: Marker,
}

macro_rules! operations {
    ($($operation:ident $method:ident $on:ident $marker:expr, $action:literal;)*) => {
        /// Everything S3 can be asked, served here or not.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
        pub enum Operation {
            $(#[doc = $action] $operation,)*
            /// A CORS preflight: `OPTIONS`, never authenticated.
            Preflight,
        }

        impl Operation {
            /// The name in the S3 API reference.
            pub fn name(self) -> &'static str {
                match self {
                    $(Self::$operation => stringify!($operation),)*
                    Self::Preflight => "Preflight",
                }
            }

            /// The main action that permits it. A request may need more, by its headers and for what else it reads.
            pub fn action(self) -> Action {
                match self {
                    $(Self::$operation => Action::new($action),)*
                    // Asked without a signature, and answered by the bucket's configuration.
                    Self::Preflight => Action::new("s3:ListBucket"),
                }
            }
        }

        // The most specific rows of a method and target stand first.
        static TABLE: &[Row] = &[
            $(Row { operation: Operation::$operation, method: Method::$method, on: On::$on, marker: $marker },)*
        ];
    };
}

use Marker::{Both, BothAndCopySource, CopySource, Plain, Query as Has, QueryValue};

operations! {
    ListDirectoryBuckets GET Service QueryValue("x-id", "ListDirectoryBuckets"), "s3express:ListAllMyDirectoryBuckets";
    ListBuckets GET Service Plain, "s3:ListAllMyBuckets";
    // Other AWS services are probed with a POST to the root.
    ServicePost POST Service Plain, "s3:ServicePost";

    GetBucketAbac GET Bucket Has("abac"), "s3:GetBucketAbac";
    GetBucketAccelerateConfiguration GET Bucket Has("accelerate"), "s3:GetAccelerateConfiguration";
    GetBucketAcl GET Bucket Has("acl"), "s3:GetBucketAcl";
    GetBucketAnalyticsConfiguration GET Bucket Has("analytics"), "s3:GetAnalyticsConfiguration";
    GetBucketCors GET Bucket Has("cors"), "s3:GetBucketCORS";
    GetBucketEncryption GET Bucket Has("encryption"), "s3:GetEncryptionConfiguration";
    GetBucketIntelligentTieringConfiguration GET Bucket Has("intelligent-tiering"), "s3:GetIntelligentTieringConfiguration";
    GetBucketInventoryConfiguration GET Bucket Has("inventory"), "s3:GetInventoryConfiguration";
    GetBucketLifecycleConfiguration GET Bucket Has("lifecycle"), "s3:GetLifecycleConfiguration";
    GetBucketLocation GET Bucket Has("location"), "s3:GetBucketLocation";
    GetBucketLogging GET Bucket Has("logging"), "s3:GetBucketLogging";
    GetBucketMetadataConfiguration GET Bucket Has("metadataConfiguration"), "s3:GetBucketMetadataTableConfiguration";
    GetBucketMetadataTableConfiguration GET Bucket Has("metadataTable"), "s3:GetBucketMetadataTableConfiguration";
    GetBucketMetricsConfiguration GET Bucket Has("metrics"), "s3:GetMetricsConfiguration";
    GetBucketNotificationConfiguration GET Bucket Has("notification"), "s3:GetBucketNotification";
    GetObjectLockConfiguration GET Bucket Has("object-lock"), "s3:GetBucketObjectLockConfiguration";
    GetBucketOwnershipControls GET Bucket Has("ownershipControls"), "s3:GetBucketOwnershipControls";
    GetBucketPolicy GET Bucket Has("policy"), "s3:GetBucketPolicy";
    GetBucketPolicyStatus GET Bucket Has("policyStatus"), "s3:GetBucketPolicyStatus";
    GetPublicAccessBlock GET Bucket Has("publicAccessBlock"), "s3:GetBucketPublicAccessBlock";
    GetBucketReplication GET Bucket Has("replication"), "s3:GetReplicationConfiguration";
    GetBucketRequestPayment GET Bucket Has("requestPayment"), "s3:GetBucketRequestPayment";
    CreateSession GET Bucket Has("session"), "s3express:CreateSession";
    GetBucketTagging GET Bucket Has("tagging"), "s3:GetBucketTagging";
    ListMultipartUploads GET Bucket Has("uploads"), "s3:ListBucketMultipartUploads";
    GetBucketVersioning GET Bucket Has("versioning"), "s3:GetBucketVersioning";
    ListObjectVersions GET Bucket Has("versions"), "s3:ListBucketVersions";
    GetBucketWebsite GET Bucket Has("website"), "s3:GetBucketWebsite";
    ListObjectsV2 GET Bucket QueryValue("list-type", "2"), "s3:ListBucket";
    ListObjects GET Bucket Plain, "s3:ListBucket";
    HeadBucket HEAD Bucket Plain, "s3:ListBucket";

    PutBucketAbac PUT Bucket Has("abac"), "s3:PutBucketAbac";
    PutBucketAccelerateConfiguration PUT Bucket Has("accelerate"), "s3:PutAccelerateConfiguration";
    PutBucketAcl PUT Bucket Has("acl"), "s3:PutBucketAcl";
    PutBucketAnalyticsConfiguration PUT Bucket Has("analytics"), "s3:PutAnalyticsConfiguration";
    PutBucketCors PUT Bucket Has("cors"), "s3:PutBucketCORS";
    PutBucketEncryption PUT Bucket Has("encryption"), "s3:PutEncryptionConfiguration";
    PutBucketIntelligentTieringConfiguration PUT Bucket Has("intelligent-tiering"), "s3:PutIntelligentTieringConfiguration";
    PutBucketInventoryConfiguration PUT Bucket Has("inventory"), "s3:PutInventoryConfiguration";
    PutBucketLifecycleConfiguration PUT Bucket Has("lifecycle"), "s3:PutLifecycleConfiguration";
    PutBucketLogging PUT Bucket Has("logging"), "s3:PutBucketLogging";
    UpdateBucketMetadataAnnotationTableConfiguration PUT Bucket Has("metadataAnnotationTable"), "s3:UpdateBucketMetadataAnnotationTableConfiguration";
    UpdateBucketMetadataInventoryTableConfiguration PUT Bucket Has("metadataInventoryTable"), "s3:UpdateBucketMetadataInventoryTableConfiguration";
    UpdateBucketMetadataJournalTableConfiguration PUT Bucket Has("metadataJournalTable"), "s3:UpdateBucketMetadataJournalTableConfiguration";
    PutBucketMetricsConfiguration PUT Bucket Has("metrics"), "s3:PutMetricsConfiguration";
    PutBucketNotificationConfiguration PUT Bucket Has("notification"), "s3:PutBucketNotification";
    PutObjectLockConfiguration PUT Bucket Has("object-lock"), "s3:PutBucketObjectLockConfiguration";
    PutBucketOwnershipControls PUT Bucket Has("ownershipControls"), "s3:PutBucketOwnershipControls";
    PutBucketPolicy PUT Bucket Has("policy"), "s3:PutBucketPolicy";
    PutPublicAccessBlock PUT Bucket Has("publicAccessBlock"), "s3:PutBucketPublicAccessBlock";
    PutBucketReplication PUT Bucket Has("replication"), "s3:PutReplicationConfiguration";
    PutBucketRequestPayment PUT Bucket Has("requestPayment"), "s3:PutBucketRequestPayment";
    PutBucketTagging PUT Bucket Has("tagging"), "s3:PutBucketTagging";
    PutBucketVersioning PUT Bucket Has("versioning"), "s3:PutBucketVersioning";
    PutBucketWebsite PUT Bucket Has("website"), "s3:PutBucketWebsite";
    CreateBucket PUT Bucket Plain, "s3:CreateBucket";

    DeleteBucketAnalyticsConfiguration DELETE Bucket Has("analytics"), "s3:PutAnalyticsConfiguration";
    DeleteBucketCors DELETE Bucket Has("cors"), "s3:PutBucketCORS";
    DeleteBucketEncryption DELETE Bucket Has("encryption"), "s3:PutEncryptionConfiguration";
    DeleteBucketIntelligentTieringConfiguration DELETE Bucket Has("intelligent-tiering"), "s3:PutIntelligentTieringConfiguration";
    DeleteBucketInventoryConfiguration DELETE Bucket Has("inventory"), "s3:PutInventoryConfiguration";
    DeleteBucketLifecycle DELETE Bucket Has("lifecycle"), "s3:PutLifecycleConfiguration";
    DeleteBucketMetadataConfiguration DELETE Bucket Has("metadataConfiguration"), "s3:DeleteBucketMetadataTableConfiguration";
    DeleteBucketMetadataTableConfiguration DELETE Bucket Has("metadataTable"), "s3:DeleteBucketMetadataTableConfiguration";
    DeleteBucketMetricsConfiguration DELETE Bucket Has("metrics"), "s3:PutMetricsConfiguration";
    DeleteBucketOwnershipControls DELETE Bucket Has("ownershipControls"), "s3:PutBucketOwnershipControls";
    DeleteBucketPolicy DELETE Bucket Has("policy"), "s3:DeleteBucketPolicy";
    DeletePublicAccessBlock DELETE Bucket Has("publicAccessBlock"), "s3:PutBucketPublicAccessBlock";
    DeleteBucketReplication DELETE Bucket Has("replication"), "s3:PutReplicationConfiguration";
    DeleteBucketTagging DELETE Bucket Has("tagging"), "s3:PutBucketTagging";
    DeleteBucketWebsite DELETE Bucket Has("website"), "s3:DeleteBucketWebsite";
    DeleteBucket DELETE Bucket Plain, "s3:DeleteBucket";

    CreateBucketMetadataConfiguration POST Bucket Has("metadataConfiguration"), "s3:CreateBucketMetadataTableConfiguration";
    CreateBucketMetadataTableConfiguration POST Bucket Has("metadataTable"), "s3:CreateBucketMetadataTableConfiguration";
    DeleteObjects POST Bucket Has("delete"), "s3:DeleteObject";
    PostObject POST Bucket Plain, "s3:PutObject";

    GetObjectAcl GET Object Has("acl"), "s3:GetObjectAcl";
    GetObjectAnnotation GET Object Has("annotation"), "s3:GetObjectAnnotation";
    GetObjectAttributes GET Object Has("attributes"), "s3:GetObjectAttributes";
    GetObjectLegalHold GET Object Has("legal-hold"), "s3:GetObjectLegalHold";
    GetObjectRetention GET Object Has("retention"), "s3:GetObjectRetention";
    GetObjectTagging GET Object Has("tagging"), "s3:GetObjectTagging";
    GetObjectTorrent GET Object Has("torrent"), "s3:GetObjectTorrent";
    ListParts GET Object Has("uploadId"), "s3:ListMultipartUploadParts";
    GetObject GET Object Plain, "s3:GetObject";
    HeadObject HEAD Object Plain, "s3:GetObject";

    PutObjectAcl PUT Object Has("acl"), "s3:PutObjectAcl";
    PutObjectAnnotation PUT Object Has("annotation"), "s3:PutObjectAnnotation";
    UpdateObjectEncryption PUT Object Has("encryption"), "s3:UpdateObjectEncryption";
    PutObjectLegalHold PUT Object Has("legal-hold"), "s3:PutObjectLegalHold";
    PutObjectRetention PUT Object Has("retention"), "s3:PutObjectRetention";
    PutObjectTagging PUT Object Has("tagging"), "s3:PutObjectTagging";
    RenameObject PUT Object Has("renameObject"), "s3express:RenameObject";
    UploadPartCopy PUT Object BothAndCopySource("partNumber", "uploadId"), "s3:PutObject";
    UploadPart PUT Object Both("partNumber", "uploadId"), "s3:PutObject";
    CopyObject PUT Object CopySource, "s3:PutObject";
    PutObject PUT Object Plain, "s3:PutObject";

    DeleteObjectAnnotation DELETE Object Has("annotation"), "s3:DeleteObjectAnnotation";
    DeleteObjectTagging DELETE Object Has("tagging"), "s3:DeleteObjectTagging";
    AbortMultipartUpload DELETE Object Has("uploadId"), "s3:AbortMultipartUpload";
    DeleteObject DELETE Object Plain, "s3:DeleteObject";

    CreateMultipartUpload POST Object Has("uploads"), "s3:PutObject";
    CompleteMultipartUpload POST Object Has("uploadId"), "s3:PutObject";
    RestoreObject POST Object Has("restore"), "s3:RestoreObject";
    SelectObjectContent POST Object Has("select"), "s3:GetObject";
}

/// Every sub-resource: a parameter that selects an operation by being there, whatever its value.
static SUB_RESOURCES: LazyLock<HashSet<&str>> = LazyLock::new(|| {
    let names = TABLE.iter().filter_map(|row| match row.marker {
        Has(name) => Some(name),
        Plain | CopySource | QueryValue(..) | Both(..) | BothAndCopySource(..) => None,
    });
    names.collect()
});

/// The half of a pair that is not a sub-resource by itself.
const PART_NUMBER: &str = "partNumber";

/// Parameters that may stand in a request without a value and select nothing: what S3's listings and reads take,
/// and what belongs to a signature of version 2.
const PARAMETERS: [&str; 35] = [
    "AWSAccessKeyId",
    "Expires",
    "Signature",
    "annotation-prefix",
    "annotationName",
    "bucket-region",
    "continuation-token",
    "delimiter",
    "encoding-type",
    "fetch-owner",
    "id",
    "key-marker",
    "list-type",
    "marker",
    "max-annotation-results",
    "max-buckets",
    "max-directory-buckets",
    "max-keys",
    "max-parts",
    "max-uploads",
    "part-number-marker",
    PART_NUMBER,
    "prefix",
    "response-cache-control",
    "response-content-disposition",
    "response-content-encoding",
    "response-content-language",
    "response-content-type",
    "response-expires",
    "select-type",
    "start-after",
    "upload-id-marker",
    "version-id-marker",
    "versionId",
    "x-id",
];

impl Operation {
    /// Finds the operation of a request; `copy_source` says whether it carries `x-amz-copy-source`.
    ///
    /// An operation is never found by what is absent: a parameter that selects one, or that no one here knows, is
    /// looked at before a request counts as one without any. Otherwise each word that S3 adds would replace objects.
    ///
    /// # Errors
    /// `MethodNotAllowed` for a sub-resource that has no such method, `InvalidArgument` for two of them and for half
    /// of a pair, `NotImplemented` for one that S3 has elsewhere, and, where something would be changed, for an
    /// unknown parameter without a value.
    pub fn find(method: &Method, target: &Target, query: &Query, copy_source: bool) -> Result<Self, Error> {
        if method == Method::OPTIONS {
            return Ok(Self::Preflight);
        }
        let on = match target {
            Target::Service => On::Service,
            Target::Bucket(_) | Target::Unnameable { has_key: false, .. } => On::Bucket,
            Target::Object(..) | Target::Unnameable { has_key: true, .. } => On::Object,
        };
        let changes = !matches!(*method, Method::GET | Method::HEAD);
        if changes && let Some(word) = query.iter().find_map(|(name, value)| unknown_word(name, value)) {
            return Err(not_implemented(word));
        }
        let mut rows = TABLE.iter().filter(|row| row.on == on && row.method == *method);
        if let Some(word) = sub_resource(query)? {
            let row = rows.find(|row| match row.marker {
                Has(name) => name == word,
                Both(one, two) => query.contains(one) && query.contains(two),
                BothAndCopySource(one, two) => copy_source && query.contains(one) && query.contains(two),
                Plain | CopySource | QueryValue(..) => false,
            });
            return row.map(|row| row.operation).ok_or_else(|| misplaced(method, target, word));
        }
        if changes && query.contains(PART_NUMBER) {
            let message = "This operation does not accept partNumber without uploadId";
            return Err(Error::invalid_argument(message, PART_NUMBER, PART_NUMBER).check(Check::Operation));
        }
        let row = rows.find(|row| match row.marker {
            Plain => true,
            CopySource => copy_source,
            QueryValue(name, value) => query.value(name) == Some(value),
            Has(_) | Both(..) | BothAndCopySource(..) => false,
        });
        let allowed = if on == On::Service { "GET" } else { "GET, HEAD, PUT, POST, DELETE" };
        row.map(|row| row.operation).ok_or_else(|| not_allowed(method, target, allowed.to_owned()))
    }

    /// Every operation.
    pub fn all() -> impl Iterator<Item = Self> {
        TABLE.iter().map(|row| row.operation).chain([Self::Preflight])
    }

    /// The query parameter that selects it.
    pub fn sub_resource(self) -> Option<&'static str> {
        TABLE.iter().find(|row| row.operation == self).and_then(|row| match row.marker {
            Has(name) | Both(_, name) | BothAndCopySource(_, name) => Some(name),
            Plain | CopySource | QueryValue(..) => None,
        })
    }

    /// Every query parameter that selects an operation by being there.
    pub fn sub_resources() -> impl Iterator<Item = &'static str> {
        SUB_RESOURCES.iter().copied()
    }

    /// Whether a query parameter of this name selects an operation by being there.
    pub fn is_sub_resource(name: &str) -> bool {
        may_be_sub_resource(name) && SUB_RESOURCES.contains(name)
    }

    /// Whether operations are known to take a query parameter of this name, or to be selected by it.
    pub fn knows_parameter(name: &str) -> bool {
        SUB_RESOURCES.contains(name) || PARAMETERS.contains(&name)
    }
}

/// Most requests have no sub-resource: none begins in upper case, as the parameters of a V4 signature do.
fn may_be_sub_resource(name: &str) -> bool {
    !name.starts_with(|first: char| first.is_ascii_uppercase())
}

/// The sub-resource that a query names.
///
/// # Errors
/// `InvalidArgument` for two.
fn sub_resource(query: &Query) -> Result<Option<&str>, Error> {
    let mut words = query.iter().map(|(name, _)| name).filter(|name| Operation::is_sub_resource(name));
    let Some(first) = words.next() else {
        return Ok(None);
    };
    match words.find(|other| *other != first) {
        None => Ok(Some(first)),
        Some(second) => {
            let (one, two) = (first.min(second), first.max(second));
            let message = format!("Conflicting query string parameters: {one}, {two}");
            Err(Error::invalid_argument(message, "ResourceType", one).check(Check::Operation))
        }
    }
}

/// A parameter without a value that no one knows: perhaps a sub-resource that S3 was given after this was written.
/// What has a value S3 ignores, if it does not know it either.
fn unknown_word<'q>(name: &'q str, value: &str) -> Option<&'q str> {
    let is_header = || {
        let name = name.to_ascii_lowercase();
        name.starts_with("x-") || header::is_standard(&name)
    };
    (value.is_empty() && !Operation::knows_parameter(name) && !is_header()).then_some(name)
}

/// What is said of a sub-resource that goes with another method, or with another kind of target.
fn misplaced(method: &Method, target: &Target, word: &str) -> Error {
    let has_word = |row: &&Row| row.marker == Has(SUB_RESOURCES.get(word).copied().unwrap_or_default());
    let has_method = |method: &Method| TABLE.iter().filter(has_word).any(|row| row.method == *method);
    // S3 answers most sub-resources of a bucket at the path of a key, too.
    if has_method(method) {
        return not_implemented(word);
    }
    let methods = [Method::DELETE, Method::POST, Method::GET, Method::PUT];
    let allowed: Vec<&str> = methods.iter().filter(|method| has_method(method)).map(Method::as_str).collect();
    not_allowed(method, target, allowed.join(", "))
}

fn not_allowed(method: &Method, target: &Target, allowed: String) -> Error {
    ErrorCode::MethodNotAllowed
        .error()
        .with("Method", method.as_str())
        .with("ResourceType", target.resource_type())
        .header("allow", allowed)
}

fn not_implemented(word: &str) -> Error {
    Error::not_implemented_parameter(word).check(Check::Operation)
}

#[cfg(test)]
mod tests {
    use super::super::name::{BucketName, ObjectKey};
    use super::*;

    fn find(method: Method, object: bool, query: &str) -> Result<Operation, ErrorCode> {
        let bucket = BucketName::parse("bucket").expect("valid");
        let target = match object {
            true => Target::Object(bucket, ObjectKey::parse("k").expect("valid")),
            false => Target::Bucket(bucket),
        };
        let query = Query::parse(query).expect("valid");
        let found = Operation::find(&method, &target, &query, query.contains("x-amz-copy-source"));
        found.map_err(|error| error.code())
    }

    #[test]
    fn no_sub_resource_begins_in_upper_case() {
        assert!(Operation::sub_resources().all(may_be_sub_resource));
    }

    #[test]
    fn sub_resources_decide() {
        assert_eq!(find(Method::GET, false, ""), Ok(Operation::ListObjects));
        assert_eq!(find(Method::GET, false, "list-type=2&prefix=a"), Ok(Operation::ListObjectsV2));
        assert_eq!(find(Method::GET, false, "list-type=1"), Ok(Operation::ListObjects));
        assert_eq!(find(Method::GET, false, "versions"), Ok(Operation::ListObjectVersions));
        assert_eq!(find(Method::PUT, true, "x-id=PutObject"), Ok(Operation::PutObject));
        assert_eq!(find(Method::PUT, true, "partNumber=1&uploadId=u"), Ok(Operation::UploadPart));
        assert_eq!(find(Method::GET, true, "partNumber=1"), Ok(Operation::GetObject));
        assert_eq!(find(Method::POST, true, "uploads="), Ok(Operation::CreateMultipartUpload));
        assert_eq!(find(Method::PUT, true, "x-amz-copy-source=a%2Fb"), Ok(Operation::CopyObject));
        assert_eq!(find(Method::PUT, true, "encryption"), Ok(Operation::UpdateObjectEncryption));
    }

    #[test]
    fn a_foreign_sub_resource_is_never_the_plain_operation() {
        for (method, object, query, code) in [
            (Method::PUT, true, "uploads", ErrorCode::MethodNotAllowed),
            (Method::PUT, true, "uploadId=u", ErrorCode::MethodNotAllowed),
            (Method::DELETE, true, "acl", ErrorCode::MethodNotAllowed),
            (Method::PUT, false, "location", ErrorCode::MethodNotAllowed),
            (Method::PATCH, true, "", ErrorCode::MethodNotAllowed),
            (Method::POST, true, "", ErrorCode::MethodNotAllowed),
            (Method::PUT, true, "partNumber=1", ErrorCode::InvalidArgument),
            (Method::PUT, true, "x-amz-copy-source=a%2Fb&uploadId=u", ErrorCode::MethodNotAllowed),
            (Method::PUT, true, "x-amz-copy-source=a%2Fb&uploads", ErrorCode::MethodNotAllowed),
            (Method::PUT, true, "policy", ErrorCode::NotImplemented),
            (Method::DELETE, true, "lifecycle", ErrorCode::NotImplemented),
            (Method::GET, true, "location", ErrorCode::NotImplemented),
            (Method::HEAD, false, "acl&versioning", ErrorCode::InvalidArgument),
        ] {
            assert_eq!(find(method.clone(), object, query), Err(code), "{method} {query}");
        }
    }

    #[test]
    fn a_word_of_tomorrow_changes_nothing() {
        for query in ["tomorrow", "tomorrow=", "a=1&tomorrow"] {
            for (method, object) in
                [(Method::PUT, true), (Method::DELETE, true), (Method::PUT, false), (Method::POST, false)]
            {
                assert_eq!(find(method, object, query), Err(ErrorCode::NotImplemented), "{query}");
            }
            assert_eq!(find(Method::GET, true, query), Ok(Operation::GetObject));
            let beside = format!("tagging&{query}");
            assert_eq!(find(Method::DELETE, true, &beside), Err(ErrorCode::NotImplemented), "{beside}");
            assert_eq!(find(Method::GET, true, &beside), Ok(Operation::GetObjectTagging));
        }
        for query in ["foo=1", "x-foo=", "X-Amz-Foo=", "Content-Type=", "Expires=", "prefix="] {
            assert_eq!(find(Method::PUT, true, query), Ok(Operation::PutObject), "{query}");
        }
    }
}

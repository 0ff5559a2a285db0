//! The operations of S3 and the one table that finds them: method, kind of target and sub-resource.

use std::collections::HashSet;
use std::sync::LazyLock;

use http::Method;

use super::target::Target;
use super::uri::Query;

/// The kind of resource an operation acts on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum On {
    Service,
    Bucket,
    Object,
}

/// What must stand in the request beside method and target.
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
            $($operation,)*
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

            /// The IAM action that permits it.
            pub fn action(self) -> &'static str {
                match self {
                    $(Self::$operation => $action,)*
                    Self::Preflight => "",
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
    ListBuckets GET Service Plain, "s3:ListAllMyBuckets";
    // Other AWS services are probed with a POST to the root.
    ServicePost POST Service Plain, "s3:ServicePost";

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

    PutBucketAccelerateConfiguration PUT Bucket Has("accelerate"), "s3:PutAccelerateConfiguration";
    PutBucketAcl PUT Bucket Has("acl"), "s3:PutBucketAcl";
    PutBucketAnalyticsConfiguration PUT Bucket Has("analytics"), "s3:PutAnalyticsConfiguration";
    PutBucketCors PUT Bucket Has("cors"), "s3:PutBucketCORS";
    PutBucketEncryption PUT Bucket Has("encryption"), "s3:PutEncryptionConfiguration";
    PutBucketIntelligentTieringConfiguration PUT Bucket Has("intelligent-tiering"), "s3:PutIntelligentTieringConfiguration";
    PutBucketInventoryConfiguration PUT Bucket Has("inventory"), "s3:PutInventoryConfiguration";
    PutBucketLifecycleConfiguration PUT Bucket Has("lifecycle"), "s3:PutLifecycleConfiguration";
    PutBucketLogging PUT Bucket Has("logging"), "s3:PutBucketLogging";
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
    DeleteBucketMetricsConfiguration DELETE Bucket Has("metrics"), "s3:PutMetricsConfiguration";
    DeleteBucketOwnershipControls DELETE Bucket Has("ownershipControls"), "s3:PutBucketOwnershipControls";
    DeleteBucketPolicy DELETE Bucket Has("policy"), "s3:DeleteBucketPolicy";
    DeletePublicAccessBlock DELETE Bucket Has("publicAccessBlock"), "s3:PutBucketPublicAccessBlock";
    DeleteBucketReplication DELETE Bucket Has("replication"), "s3:PutReplicationConfiguration";
    DeleteBucketTagging DELETE Bucket Has("tagging"), "s3:PutBucketTagging";
    DeleteBucketWebsite DELETE Bucket Has("website"), "s3:DeleteBucketWebsite";
    DeleteBucket DELETE Bucket Plain, "s3:DeleteBucket";

    DeleteObjects POST Bucket Has("delete"), "s3:DeleteObject";
    PostObject POST Bucket Plain, "s3:PutObject";

    GetObjectAcl GET Object Has("acl"), "s3:GetObjectAcl";
    GetObjectAttributes GET Object Has("attributes"), "s3:GetObjectAttributes";
    GetObjectLegalHold GET Object Has("legal-hold"), "s3:GetObjectLegalHold";
    GetObjectRetention GET Object Has("retention"), "s3:GetObjectRetention";
    GetObjectTagging GET Object Has("tagging"), "s3:GetObjectTagging";
    GetObjectTorrent GET Object Has("torrent"), "s3:GetObjectTorrent";
    ListParts GET Object Has("uploadId"), "s3:ListMultipartUploadParts";
    GetObject GET Object Plain, "s3:GetObject";
    HeadObject HEAD Object Plain, "s3:GetObject";

    PutObjectAcl PUT Object Has("acl"), "s3:PutObjectAcl";
    PutObjectLegalHold PUT Object Has("legal-hold"), "s3:PutObjectLegalHold";
    PutObjectRetention PUT Object Has("retention"), "s3:PutObjectRetention";
    PutObjectTagging PUT Object Has("tagging"), "s3:PutObjectTagging";
    RenameObject PUT Object Has("renameObject"), "s3express:RenameObject";
    UploadPartCopy PUT Object BothAndCopySource("partNumber", "uploadId"), "s3:PutObject";
    UploadPart PUT Object Both("partNumber", "uploadId"), "s3:PutObject";
    CopyObject PUT Object CopySource, "s3:PutObject";
    PutObject PUT Object Plain, "s3:PutObject";

    DeleteObjectTagging DELETE Object Has("tagging"), "s3:DeleteObjectTagging";
    AbortMultipartUpload DELETE Object Has("uploadId"), "s3:AbortMultipartUpload";
    DeleteObject DELETE Object Plain, "s3:DeleteObject";

    CreateMultipartUpload POST Object Has("uploads"), "s3:PutObject";
    CompleteMultipartUpload POST Object Has("uploadId"), "s3:PutObject";
    RestoreObject POST Object Has("restore"), "s3:RestoreObject";
    SelectObjectContent POST Object Has("select"), "s3:GetObject";
}

/// Every parameter that marks a row.
static MARKERS: LazyLock<HashSet<&str>> = LazyLock::new(|| {
    let names = TABLE.iter().flat_map(|row| match row.marker {
        Plain | CopySource => [None, None],
        Has(name) | QueryValue(name, _) => [Some(name), None],
        Both(one, two) | BothAndCopySource(one, two) => [Some(one), Some(two)],
    });
    names.flatten().collect()
});

impl Operation {
    /// Finds the operation of a request; `copy_source` says whether it carries `x-amz-copy-source`.
    ///
    /// A sub-resource that does not go with the method is no other operation: the answer is then `None`, as for
    /// an unknown method (405).
    pub fn find(method: &Method, target: &Target, query: &Query, copy_source: bool) -> Option<Self> {
        if method == Method::OPTIONS {
            return Some(Self::Preflight);
        }
        let on = match target {
            Target::Service => On::Service,
            Target::Bucket(_) => On::Bucket,
            Target::Object(..) => On::Object,
        };
        let rows = || TABLE.iter().filter(move |row| row.on == on);
        let of_method = || rows().filter(|row| row.method == *method);
        let plain = || {
            let copies = copy_source && of_method().any(|row| row.marker == CopySource);
            let wanted = if copies { CopySource } else { Plain };
            of_method().find(|row| row.marker == wanted).map(|row| row.operation)
        };
        // Most requests have no sub-resource, and need not be held against every row.
        // No marker begins in upper case, as the parameters of a V4 signature do.
        let may_mark = |name: &str| !name.starts_with(|first: char| first.is_ascii_uppercase());
        if !query.iter().any(|(name, _)| may_mark(name) && MARKERS.contains(name)) {
            return plain();
        }
        let marked = of_method().find(|row| match row.marker {
            Plain | CopySource => false,
            Has(name) => query.contains(name),
            QueryValue(name, value) => query.value(name) == Some(value),
            Both(one, two) => query.contains(one) && query.contains(two),
            BothAndCopySource(one, two) => copy_source && query.contains(one) && query.contains(two),
        });
        if let Some(row) = marked {
            return Some(row.operation);
        }
        // A sub-resource that is another method's, or half of a pair, must not fall through to the plain
        // operation: a PUT with `?uploads`, or with a part number alone, would overwrite the object.
        let foreign = rows().any(|row| match row.marker {
            Has(name) => query.contains(name),
            Both(one, two) => row.method == *method && (query.contains(one) || query.contains(two)),
            Plain | CopySource | QueryValue(..) | BothAndCopySource(..) => false,
        });
        if foreign { None } else { plain() }
    }

    /// Every operation.
    pub fn all() -> impl Iterator<Item = Self> {
        TABLE.iter().map(|row| row.operation).chain([Self::Preflight])
    }

    /// The methods that a target of this `ResourceType` answers to, for the `Allow` header.
    pub fn allowed_methods_of(resource_type: &str) -> &'static str {
        match resource_type {
            "SERVICE" => "GET",
            "DeleteMarker" => "DELETE",
            _ => "GET, HEAD, PUT, POST, DELETE",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::name::{BucketName, ObjectKey};
    use super::*;

    fn find(method: Method, object: bool, query: &str) -> Option<Operation> {
        let bucket = BucketName::parse("bucket").expect("valid");
        let target = match object {
            true => Target::Object(bucket, ObjectKey::parse("k").expect("valid")),
            false => Target::Bucket(bucket),
        };
        let query = Query::parse(query).expect("valid");
        Operation::find(&method, &target, &query, query.contains("x-amz-copy-source"))
    }

    #[test]
    fn no_marker_begins_in_upper_case() {
        assert!(MARKERS.iter().all(|name| name.starts_with(|first: char| first.is_ascii_lowercase())));
    }

    #[test]
    fn sub_resources_decide() {
        assert_eq!(find(Method::GET, false, ""), Some(Operation::ListObjects));
        assert_eq!(find(Method::GET, false, "list-type=2&prefix=a"), Some(Operation::ListObjectsV2));
        assert_eq!(find(Method::GET, false, "list-type=1"), Some(Operation::ListObjects));
        assert_eq!(find(Method::GET, false, "versions"), Some(Operation::ListObjectVersions));
        assert_eq!(find(Method::PUT, true, "x-id=PutObject"), Some(Operation::PutObject));
        assert_eq!(find(Method::PUT, true, "partNumber=1&uploadId=u"), Some(Operation::UploadPart));
        assert_eq!(find(Method::GET, true, "partNumber=1"), Some(Operation::GetObject));
        assert_eq!(find(Method::POST, true, "uploads="), Some(Operation::CreateMultipartUpload));
    }

    #[test]
    fn a_foreign_sub_resource_is_never_the_plain_operation() {
        assert_eq!(find(Method::PUT, true, "uploads"), None);
        assert_eq!(find(Method::PUT, true, "uploadId=u"), None);
        assert_eq!(find(Method::DELETE, true, "acl"), None);
        assert_eq!(find(Method::PUT, false, "location"), None);
        assert_eq!(find(Method::PATCH, true, ""), None);
        assert_eq!(find(Method::POST, true, ""), None);
        assert_eq!(find(Method::PUT, true, "partNumber=1"), None);
        assert_eq!(find(Method::PUT, true, "x-amz-copy-source=a%2Fb"), Some(Operation::CopyObject));
        assert_eq!(find(Method::PUT, true, "x-amz-copy-source=a%2Fb&uploadId=u"), None);
        assert_eq!(find(Method::PUT, true, "x-amz-copy-source=a%2Fb&uploads"), None);
    }
}

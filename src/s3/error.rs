//! Errors as S3 words them: a code with its status and default message, and the elements that go with it.

use std::borrow::Cow;
use std::fmt;

use http::StatusCode;

use super::check::Check;

macro_rules! error_codes {
    ($($code:ident $status:literal $message:literal;)*) => {
        /// An S3 error code.
        ///
        /// <https://docs.aws.amazon.com/AmazonS3/latest/API/ErrorResponses.html#ErrorCodeList>
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
        pub enum ErrorCode { $(#[doc = $message] $code,)* }

        impl ErrorCode {
            /// The code as the answer spells it.
            pub fn name(self) -> &'static str {
                match self { $(Self::$code => stringify!($code),)* }
            }

            /// The HTTP status of the answer.
            pub fn status(self) -> StatusCode {
                let status = match self { $(Self::$code => $status,)* };
                StatusCode::from_u16(status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR)
            }

            fn message(self) -> &'static str {
                match self { $(Self::$code => $message,)* }
            }
        }
    };
}

error_codes! {
    AccessControlListNotSupported 400 "The bucket does not allow ACLs";
    AccessDenied 403 "Access Denied";
    AccessForbidden 403 "Access Forbidden";
    AuthorizationHeaderMalformed 400 "The authorization header is malformed";
    AuthorizationQueryParametersError 400 "Query-string authentication version 4 requires the X-Amz-Algorithm, X-Amz-Credential, X-Amz-Signature, X-Amz-Date, X-Amz-SignedHeaders, and X-Amz-Expires parameters.";
    BadDigest 400 "The Content-MD5 you specified did not match what we received.";
    BadRequest 400 "An error occurred when parsing the HTTP request.";
    BucketAlreadyExists 409 "The requested bucket name is not available. The bucket namespace is shared by all users of the system. Please select a different name and try again.";
    BucketAlreadyOwnedByYou 409 "Your previous request to create the named bucket succeeded and you already own it.";
    BucketNotEmpty 409 "The bucket you tried to delete is not empty";
    ConditionalRequestConflict 409 "The conditional request cannot succeed due to a conflicting operation against this resource.";
    EntityTooLarge 400 "Your proposed upload exceeds the maximum allowed size";
    EntityTooSmall 400 "Your proposed upload is smaller than the minimum allowed size";
    IllegalVersioningConfigurationException 400 "The Versioning element must be specified";
    IllegalLocationConstraintException 400 "The unspecified location constraint is incompatible for the region specific endpoint this request was sent to.";
    IncompleteBody 400 "The request body terminated unexpectedly";
    InsufficientStorage 507 "There is not enough space left to store the object.";
    InternalError 500 "We encountered an internal error. Please try again.";
    InvalidAccessKeyId 403 "The AWS Access Key Id you provided does not exist in our records.";
    InvalidArgument 400 "Invalid Argument";
    InvalidBucketName 400 "The specified bucket is not valid.";
    InvalidBucketOwnerAWSAccountID 400 "The value of the expected bucket owner parameter must be an AWS Account ID.";
    InvalidBucketAclWithObjectOwnership 400 "Bucket cannot have ACLs set with ObjectOwnership's BucketOwnerEnforced setting";
    InvalidChunkSizeError 403 "Only the last chunk is allowed to have a size less than 8192 bytes";
    InvalidDigest 400 "The Content-MD5 you specified was invalid.";
    InvalidLocationConstraint 400 "The specified location-constraint is not valid";
    InvalidObjectState 403 "The operation is not valid for the object's storage class";
    InvalidPart 400 "One or more of the specified parts could not be found.  The part may not have been uploaded, or the specified entity tag may not match the part's entity tag.";
    InvalidPartNumber 416 "The requested partnumber is not satisfiable";
    InvalidPartOrder 400 "The list of parts was not in ascending order. Parts must be ordered by part number.";
    InvalidRange 416 "The requested range is not satisfiable";
    InvalidRedirectLocation 400 "The website redirect location must have a prefix of 'http://' or 'https://' or '/'.";
    InvalidRequest 400 "Invalid Request";
    InvalidStorageClass 400 "The storage class you specified is not valid";
    InvalidTag 400 "The tag provided was not a valid tag. This error can occur if the tag did not pass input validation.";
    InvalidToken 400 "The provided token is malformed or otherwise invalid.";
    InvalidURI 400 "Couldn't parse the specified URI.";
    KeyTooLongError 400 "Your key is too long";
    MalformedTrailerError 400 "The request contained trailing data that was not well-formed or did not conform to our published schema.";
    MalformedXML 400 "The XML you provided was not well-formed or did not validate against our published schema";
    MaxMessageLengthExceeded 400 "Your request was too big.";
    MetadataTooLarge 400 "Your metadata headers exceed the maximum allowed metadata size";
    MethodNotAllowed 405 "The specified method is not allowed against this resource.";
    MissingContentLength 411 "You must provide the Content-Length HTTP header.";
    NoSuchBucket 404 "The specified bucket does not exist";
    NoSuchLifecycleConfiguration 404 "The lifecycle configuration does not exist";
    NoSuchKey 404 "The specified key does not exist.";
    NoSuchTagSet 404 "The TagSet does not exist";
    NoSuchUpload 404 "The specified upload does not exist. The upload ID may be invalid, or the upload may have been aborted or completed.";
    NoSuchVersion 404 "The specified version does not exist.";
    NotImplemented 501 "A header you provided implies functionality that is not implemented";
    PreconditionFailed 412 "At least one of the pre-conditions you specified did not hold";
    QuotaExceeded 403 "The bucket's quota does not allow an object of this size.";
    RequestHeaderSectionTooLarge 400 "Your request header section exceeds the maximum allowed size.";
    RequestTimeTooSkewed 403 "The difference between the request time and the current time is too large.";
    RequestTimeout 400 "Your socket connection to the server was not read from or written to within the timeout period. Idle connections will be closed.";
    SignatureDoesNotMatch 403 "The request signature we calculated does not match the signature you provided. Check your key and signing method.";
    SlowDown 503 "Please reduce your request rate.";
    XAmzContentSHA256Mismatch 400 "The provided 'x-amz-content-sha256' header does not match what was computed.";
}

/// The element in which S3 says what a refused header or value was about; its case is S3's.
const ADDITIONAL_MESSAGE: &str = "additionalMessage";

impl ErrorCode {
    /// An error with this code and its usual message.
    pub fn error(self) -> Error {
        Error {
            code: self,
            message: Cow::Borrowed(self.message()),
            details: Vec::new(),
            headers: Vec::new(),
            check: None,
            bare: None,
        }
    }

    /// An error with this code and another message.
    pub fn with_message(self, message: impl Into<Cow<'static, str>>) -> Error {
        Error { message: message.into(), ..self.error() }
    }
}

/// What a client is told: code, message and further elements, in the order of the wire.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Error {
    code: ErrorCode,
    message: Cow<'static, str>,
    details: Vec<(&'static str, String)>,
    headers: Vec<(&'static str, String)>,
    check: Option<Check>,
    bare: Option<&'static str>,
}

impl Error {
    /// 400 without a body: `reason` goes into the status line, as S3 answers a broken escape.
    pub fn bare(reason: &'static str) -> Self {
        Self { bare: Some(reason), ..ErrorCode::BadRequest.error() }.check(Check::Escape)
    }

    /// `InvalidArgument`, which names the argument and repeats its value.
    pub fn invalid_argument(
        message: impl Into<Cow<'static, str>>,
        name: impl Into<String>,
        value: impl Into<String>,
    ) -> Self {
        ErrorCode::InvalidArgument
            .with_message(message)
            .with("ArgumentName", name)
            .with("ArgumentValue", value)
    }

    /// `NotImplemented` for this header; `why` says more than its name, if more is to be said.
    pub fn not_implemented_header(name: impl Into<String>, why: Option<&str>) -> Self {
        let error = ErrorCode::NotImplemented.error().with("Header", name);
        match why {
            Some(why) => error.with(ADDITIONAL_MESSAGE, why),
            None => error,
        }
    }

    /// `NotImplemented` for this query parameter.
    pub fn not_implemented_parameter(name: &str) -> Self {
        Self::not_implemented(format!("The query parameter {name} is not implemented here"))
    }

    /// `NotImplemented` for something that no header names.
    pub fn not_implemented(what: impl Into<String>) -> Self {
        ErrorCode::NotImplemented
            .with_message("A header or query you provided requested a function that is not implemented.")
            .with(ADDITIONAL_MESSAGE, what)
    }

    /// What a refusal as not implemented is about, for the log.
    pub fn unsupported(&self) -> Option<&str> {
        let is_one = self.code == ErrorCode::NotImplemented;
        self.detail("Header").or_else(|| self.detail(ADDITIONAL_MESSAGE)).filter(|_| is_one)
    }

    /// Adds an element after the message.
    #[must_use]
    pub fn with(mut self, element: &'static str, value: impl Into<String>) -> Self {
        self.details.push((element, value.into()));
        self
    }

    /// Adds a header of the answer; the name in lower case.
    #[must_use]
    pub fn header(mut self, name: &'static str, value: impl Into<String>) -> Self {
        self.headers.push((name, value.into()));
        self
    }

    /// Names the check that failed.
    #[must_use]
    pub fn check(mut self, check: Check) -> Self {
        self.check = Some(check);
        self
    }

    /// The code.
    pub fn code(&self) -> ErrorCode {
        self.code
    }

    /// The message for the client.
    pub fn message(&self) -> &str {
        &self.message
    }

    /// The elements between message and request id.
    pub fn details(&self) -> &[(&'static str, String)] {
        &self.details
    }

    /// The headers that the answer carries besides the usual ones.
    pub fn headers(&self) -> &[(&'static str, String)] {
        &self.headers
    }

    /// The value of one element.
    pub fn detail(&self, element: &str) -> Option<&str> {
        self.details.iter().find(|(name, _)| *name == element).map(|(_, value)| value.as_str())
    }

    /// The check that failed, where it is more than the code says.
    pub fn failed_check(&self) -> Option<Check> {
        self.check
    }

    /// The reason phrase, if this error is answered without a body.
    pub fn bare_reason(&self) -> Option<&'static str> {
        self.bare
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.code.name(), self.message)
    }
}

impl std::error::Error for Error {}

//! The checks that a request goes through, by name: what the log calls the one that failed, and what an examination keeps
//! of those that held.

use std::fmt;

macro_rules! checks {
    ($($check:ident $name:literal $what:literal;)*) => {
        /// A check that a request can fail.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
        pub enum Check { $(#[doc = $what] $check,)* }

        impl Check {
            /// Every check, in the order in which a request meets them.
            pub const ALL: &[Self] = &[$(Self::$check,)*];

            /// The word of the log.
            pub const fn name(self) -> &'static str {
                match self { $(Self::$check => $name,)* }
            }
        }
    };
}

checks! {
    Connections "connections" "There is a slot for the connection.";
    Host "host" "There is one host, and it is text.";
    Escape "escape" "Escapes of path and query are complete.";
    Operation "operation" "Method, target and parameters name an operation that is served.";
    Header "header" "No header asks for what is not there.";
    Cors "cors" "A preflight is permitted by the bucket's configuration.";
    OneMechanism "one mechanism" "The request is signed in one way.";
    AuthorizationHeader "authorization header" "The Authorization header is well formed.";
    Parameters "parameters" "The parameters of the signature are complete, each given once.";
    Algorithm "algorithm" "The algorithm is one that S3 has.";
    Credential "credential" "The credential has the parts of a scope.";
    Region "region" "The scope names the region of the server.";
    Date "date" "The date can be read.";
    CredentialDate "credential date" "The date of the scope is that of the request.";
    Expires "expires" "The lifetime is a number within the limits.";
    SignedHeaders "signed headers" "The list of signed headers can be read.";
    NotYetValid "not yet valid" "The time from which a URL is valid has come.";
    Expired "expired" "The lifetime of a URL has not ended.";
    Skew "skew" "The date of the request is about now.";
    AccessKey "access key" "The access key is known.";
    HeadersSigned "headers signed" "Every header that must be signed is.";
    Token "token" "The session token is that of the key.";
    PayloadHash "payload hash" "The hash of the body is declared, and is that of the body.";
    Signature "signature" "The signature is that of the key.";
    OneReading "one reading" "No signed value can be read in two ways.";
    Bucket "bucket" "The document of a new bucket asks for one that can be.";
    Policy "policy" "The rules permit it.";
    BucketOwner "bucket owner" "The bucket belongs to the expected account.";
    Acl "acl" "The requested ACL is one that can be.";
    Ownership "ownership" "The requested ownership is one that can be.";
    Condition "condition" "The condition of the request holds.";
    CopySource "copy source" "The source of a copy is named well, and only where something is copied.";
    Length "length" "The length of the body is declared, and within the limits.";
    ContentMd5 "content md5" "Content-MD5 is that of the body.";
    Checksum "checksum" "The checksum is that of the body.";
    ChunkFraming "chunk framing" "The frames of the body are well formed.";
    ChunkSignature "chunk signature" "Every chunk has the signature of the key.";
    Connection "connection" "The connection carried the body to its end.";
    Stall "stall" "The body does not stand still.";
    ClientGone "client gone" "The client waits for its answer.";
    ConnectionCut "connection cut" "The answer was sent to its end.";
    Tagging "tagging" "The tags can be.";
    Lifecycle "lifecycle" "The lifecycle configuration can be.";
    Versioning "versioning" "The versioning configuration can be.";
    Quota "quota" "The bucket's quota has room.";
    StorageClass "storage class" "The storage class of the object lets it be read.";
    DeleteMarker "delete marker" "The version is an object.";
    OpenFiles "open files" "There are files left to open.";
    Documents "documents" "There is memory left for documents.";
    Reads "reads" "Few enough wait for a turn to read a whole body.";
    Space "space" "The file system has room.";
    Damaged "damaged" "The body is what was stored.";
    Storage "storage" "Reading and writing files works.";
    Index "index" "The index works.";
    Randomness "randomness" "The system gives random bytes.";
    Panic "panic" "Nothing in the server panics.";
}

impl fmt::Display for Check {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// Most checks that are kept of one request: more than any request meets.
const STEPS_MAX: usize = 32;

/// The checks that a request has passed, in the order in which they were made.
#[derive(Clone, Copy)]
pub struct Steps {
    passed: [Option<Check>; STEPS_MAX],
    count: usize,
}

impl Default for Steps {
    fn default() -> Self {
        Self { passed: [None; STEPS_MAX], count: 0 }
    }
}

impl Steps {
    /// Keeps that a check held.
    pub fn pass(&mut self, check: Check) {
        if let Some(step) = self.passed.get_mut(self.count) {
            *step = Some(check);
            self.count += 1;
        }
    }

    /// The checks that held, the first one first.
    pub fn passed(&self) -> impl Iterator<Item = Check> {
        self.passed.iter().map_while(|check| *check)
    }
}

impl fmt::Debug for Steps {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list().entries(self.passed()).finish()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_check_has_a_word_of_its_own() {
        let words: std::collections::HashSet<_> = Check::ALL.iter().map(|check| check.name()).collect();
        assert_eq!(words.len(), Check::ALL.len());
    }

    #[test]
    fn steps_keep_their_order_and_are_bounded() {
        let mut steps = Steps::default();
        steps.pass(Check::Host);
        steps.pass(Check::Signature);
        assert_eq!(steps.passed().collect::<Vec<_>>(), [Check::Host, Check::Signature]);
        (0..2 * STEPS_MAX).for_each(|_| steps.pass(Check::Policy));
        assert_eq!(steps.passed().count(), STEPS_MAX);
    }
}

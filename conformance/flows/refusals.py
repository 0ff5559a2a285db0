"""What is refused, and in which words: status, code, message and elements of each answer."""

import re
import time
import urllib.parse

import botocore.auth
import botocore.awsrequest
from botocore.credentials import Credentials

from clients import boto, clock, signers, signing_clients, version_of
from flows import flow
from harness import (
    ACCESS_KEY, BUCKET, NOT_SIGNED, ONE_MECHANISM, REGION, SECRET_KEY, UNKNOWN_KEY, check, curl, equal, expect_absent, expect_bare,
    expect_error, expect_mismatch, expect_near_now, get, iso, raw_exchange, upload,
)

QUERY_ERROR = "AuthorizationQueryParametersError"


def parameters(url):
    return dict(urllib.parse.parse_qsl(urllib.parse.urlsplit(url).query, keep_blank_values=True))


def changed(url, **changes):
    """The URL with parameters set, or removed (None); `_` stands for `-` in names. What is not changed keeps its spelling."""
    head, _, query = url.partition("?")
    pairs = [pair for pair in query.split("&") if pair]
    for name, value in changes.items():
        name = name.replace("_", "-")
        new = None if value is None else f"{name}={urllib.parse.quote(value, safe='')}"
        kept = [pair for pair in pairs if pair.partition("=")[0] != name]
        check(value is not None or len(kept) < len(pairs), f"{name} stands in {url}, to be removed")
        pairs = kept if new is None else [*kept, new]
    return f"{head}?{'&'.join(pairs)}"


def with_other_signature(url):
    """The URL with the last significant character of its signature replaced by another legal one."""
    if version_of(url) == 4:
        signature = parameters(url)["X-Amz-Signature"]
        return changed(url, X_Amz_Signature=signature[:-1] + ("0" if signature[-1] != "0" else "1"))
    alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/"
    signature = parameters(url)["Signature"].replace(" ", "+")
    last = alphabet[alphabet.index(signature[-2]) ^ 32]
    return changed(url, Signature=f"{signature[:-2]}{last}=")


# ---- by every client that signs URLs --------------------------------------------------------------------------------


@flow("refused", *(client for client in signing_clients() if client != "boto3"))
def refused(cell):
    server = cell.serve()
    writer = boto(server)
    for key in ("key", "other"):
        writer.put_object(Bucket=BUCKET, Key=key, Body=b"kept " + key.encode())
    for signer in signers(cell.client):
        signed_at = time.time()
        short = signer.sign(cell, server, "get", "key", expires=1)
        url = signer.sign(cell, server, "get", "key")
        get(cell, url, body=b"kept key")
        tampered(cell, server, url)
        unknown_or_doubled(cell, url)
        for method in ("put", "delete", "head"):
            if method in signer.methods:
                other_method(cell, signer.sign(cell, server, method, "key"), method)
        equal(writer.get_object(Bucket=BUCKET, Key="key")["Body"].read(), b"kept key", "the object after all refusals")
        time.sleep(max(0, signed_at + 3.2 - time.time()))
        expired(cell, short)


def tampered(cell, server, url):
    version = version_of(url)
    expect_mismatch(curl(cell, url.replace("/key?", "/other?")), version)
    found = expect_mismatch(curl(cell, with_other_signature(url)), version)
    name = {2: "Signature", 4: "X-Amz-Signature"}[version]
    equal(found["SignatureProvided"], parameters(with_other_signature(url))[name], "SignatureProvided")
    expect_mismatch(curl(cell, changed(url, response_content_type="text/html")), version)
    if version == 4:
        check(found["CanonicalRequest"].startswith(f"GET\n/{BUCKET}/key\n"), "the canonical request")
        expect_mismatch(curl(cell, changed(url, X_Amz_Expires="86400")), 4)
        expect_mismatch(curl(cell, changed(url, added="1")), 4)
        expect_mismatch(curl(cell, changed(url, X_Amz_Signature=parameters(url)["X-Amz-Signature"].upper())), 4)
        expect_error(
            get(cell, url, "--header", "x-amz-acl: public-read", "--header", "x-amz-meta-a: 1", status=403),
            403, "AccessDenied", NOT_SIGNED, ["HeadersNotSigned"], HeadersNotSigned="x-amz-acl, x-amz-meta-a",
        )
    else:
        check(found["StringToSign"].startswith("GET\n\n\n"), "the string to sign of V2")
        check(found["StringToSign"].endswith(f"\n/{BUCKET}/key"), "the resource in the string to sign of V2")
        expect_mismatch(curl(cell, changed(url, Expires=str(int(time.time()) + 86_400))), 2)
        expect_mismatch(curl(cell, url, "--header", "x-amz-acl: public-read"), 2)
    other_method(cell, url, "get")
    # A HEAD is refused without a body: read to the end of the connection, nothing follows the head.
    parts = urllib.parse.urlsplit(url)
    head = f"HEAD {parts.path}?{parts.query} HTTP/1.1\r\nHost: {parts.netloc}\r\nConnection: close\r\n\r\n"
    status, headers, body = raw_exchange(server, head.encode())
    equal((status.split()[1], body), ("403", b""), "status and body of a refused HEAD on the wire")


def other_method(cell, url, signed):
    """A URL signed for one method is no use for the others."""
    version = version_of(url)
    if signed != "head":
        expect_bare(curl(cell, url, "--head"), 403)
    if signed != "get":
        expect_mismatch(curl(cell, url), version)
    if signed != "put":
        expect_mismatch(upload(cell, url, b"by another method", status=403), version)
    if signed != "delete":
        expect_mismatch(curl(cell, url, "--request", "DELETE"), version)


def unknown_or_doubled(cell, url):
    nobody = url.replace(ACCESS_KEY, "AKIDNOBODY0000000001")
    expect_error(
        get(cell, nobody, status=403),
        403, "InvalidAccessKeyId", UNKNOWN_KEY, ["AWSAccessKeyId"], AWSAccessKeyId="AKIDNOBODY0000000001",
    )
    expect_bare(curl(cell, nobody, "--head"), 403)
    for authorization in ("Bearer token", "Basic dXNlcjpwYXNz"):
        expect_error(
            get(cell, url, "--header", f"Authorization: {authorization}", status=400),
            400, "InvalidArgument", ONE_MECHANISM, ["ArgumentName", "ArgumentValue"],
            ArgumentName="Authorization", ArgumentValue=authorization,
        )


def expired(cell, url):
    given = parameters(url)
    answer = get(cell, url, status=403)
    if version_of(url) == 4:
        signed = time.strptime(given["X-Amz-Date"], "%Y%m%dT%H%M%SZ")
        until = iso(time.mktime(signed) - time.timezone + int(given["X-Amz-Expires"]))
        found = expect_error(
            answer, 403, "AccessDenied", "Request has expired", ["X-Amz-Expires", "Expires", "ServerTime"],
            X_Amz_Expires=given["X-Amz-Expires"], Expires=until,
        )
    else:
        found = expect_error(
            answer, 403, "AccessDenied", "Request has expired", ["Expires", "ServerTime"],
            Expires=iso(int(given["Expires"])),
        )
    expect_near_now(found["ServerTime"])
    expect_bare(curl(cell, url, "--head"), 403)


# ---- boto3, with a clock of its own and headers of every kind -------------------------------------------------------


@flow("refused", "boto3")
def refused_boto3(cell):
    refused(cell)
    server = cell.serve(store="deep")
    two, four = boto(server), boto(server, 4)
    four.put_object(Bucket=BUCKET, Key="key", Body=b"kept")

    def url(client, method="get_object", expires=600, offset=0, **more):
        with clock(offset):
            return client.generate_presigned_url(method, Params={"Bucket": BUCKET, "Key": "key", **more}, ExpiresIn=expires)

    # Time.
    for client in (two, four):
        expired(cell, url(client, expires=60, offset=-7200))
    get(cell, url(four, expires=7200, offset=-3600), body=b"kept")
    get(cell, url(four, offset=300), body=b"kept")
    not_yet_valid(cell, url(four, offset=3600))
    get(cell, url(two, offset=3600), body=b"kept")

    # Signed headers.
    signed = url(four, "put_object", Metadata={"colour": "blue"}, ACL="private")
    right = ["--header", "x-amz-meta-colour: blue", "--header", "x-amz-acl: private"]
    for wrong in ([], right[:2], [*right[:2], "--header", "x-amz-acl: public-read"], [*right[2:], "--header", "x-amz-meta-colour: red"]):
        expect_mismatch(upload(cell, signed, b"refused", *wrong, status=403), 4)
    extra = ["--header", "x-amz-meta-shape: round"]
    expect_error(
        upload(cell, signed, b"refused", *right, *extra, status=403),
        403, "AccessDenied", NOT_SIGNED, ["HeadersNotSigned"], HeadersNotSigned="x-amz-meta-shape",
    )
    expect_error(
        upload(cell, url(four, "put_object"), b"refused", "--header", "Content-MD5: 1B2M2Y8AsgTpgAmY7PhCfg==", status=403),
        403, "AccessDenied", NOT_SIGNED, ["HeadersNotSigned"], HeadersNotSigned="content-md5",
    )
    equal(four.get_object(Bucket=BUCKET, Key="key")["Body"].read(), b"kept", "the object after refused uploads")
    upload(cell, signed, b"kept", *right)
    equal(four.head_object(Bucket=BUCKET, Key="key")["Metadata"], {"colour": "blue"}, "metadata after the right upload")
    get(cell, url(four), "--header", "Accept-Language: de", "--header", "Content-Type: x/y", body=b"kept")

    missing_parameters(cell, url(four), url(two))
    malformed_parameters(cell, url(four))
    header_signed(cell, server)


def not_yet_valid(cell, url):
    given = parameters(url)
    moment = time.mktime(time.strptime(given["X-Amz-Date"], "%Y%m%dT%H%M%SZ")) - time.timezone
    found = expect_error(
        get(cell, url, status=403), 403, "AccessDenied", "Request is not yet valid", ["X-Amz-Date", "Expires", "ServerTime"],
        X_Amz_Date=str(int(moment) * 1000), Expires=iso(moment + int(given["X-Amz-Expires"])),
    )
    expect_near_now(found["ServerTime"])
    expect_bare(curl(cell, url, "--head"), 403)


def missing_parameters(cell, four, two):
    message = (
        "Query-string authentication version 4 requires the X-Amz-Algorithm, X-Amz-Credential, X-Amz-Signature, "
        "X-Amz-Date, X-Amz-SignedHeaders, and X-Amz-Expires parameters."
    )
    for name in ("Algorithm", "Credential", "Signature", "Date", "SignedHeaders", "Expires"):
        expect_error(get(cell, changed(four, **{f"X_Amz_{name}": None}), status=400), 400, QUERY_ERROR, message)
    message = "Query-string authentication requires the Signature, Expires and AWSAccessKeyId parameters"
    for name in ("Signature", "Expires", "AWSAccessKeyId"):
        expect_error(get(cell, changed(two, **{name: None}), status=403), 403, "AccessDenied", message)
    message = "Invalid date (should be seconds since epoch): tomorrow"
    expect_error(get(cell, changed(two, Expires="tomorrow"), status=403), 403, "AccessDenied", message)
    answer = get(cell, f"{four}&{two.partition('?')[2]}", status=400)
    equal(re.search(rb"<Code>(.*?)</Code>", answer.body)[1], b"InvalidArgument", "Code for parameters of both versions")


def malformed_parameters(cell, url):
    day = parameters(url)["X-Amz-Date"][:8]
    parsing = "Error parsing the X-Amz-Credential parameter; "

    def credential(*parts):
        return {"X_Amz_Credential": "/".join(parts)}

    week = "X-Amz-Expires must be less than a week (in seconds); that is, the given X-Amz-Expires must be less than 604800 seconds"
    cases = [
        (credential(ACCESS_KEY, day, REGION, "s3"),
         parsing + 'the Credential is mal-formed; expecting "<YOUR-AKID>/YYYYMMDD/REGION/SERVICE/aws4_request".'),
        (credential(ACCESS_KEY, "2024-1-1", REGION, "s3", "aws4_request"),
         parsing + 'incorrect date format "2024-1-1". This date in the credential must be in the format "yyyyMMdd".'),
        (credential(ACCESS_KEY, day, REGION, "sns", "aws4_request"),
         parsing + 'incorrect service "sns". This endpoint belongs to "s3".'),
        (credential(ACCESS_KEY, day, REGION, "s3", "aws5_request"),
         parsing + 'incorrect terminal "aws5_request". This endpoint uses "aws4_request".'),
        (credential("", day, REGION, "s3", "aws4_request"),
         parsing + "a non-empty Access Key (AKID) must be provided in the credential."),
        (credential(ACCESS_KEY, "20200101", REGION, "s3", "aws4_request"),
         f'Invalid credential date "20200101". This date is not the same as X-Amz-Date: "{day}".'),
        ({"X_Amz_Date": "today"}, "X-Amz-Date must be in the ISO8601 Long Format \"yyyyMMdd'T'HHmmss'Z'\""),
        ({"X_Amz_Expires": "soon"}, "X-Amz-Expires should be a number"),
        ({"X_Amz_Expires": ""}, "X-Amz-Expires should be a number"),
        ({"X_Amz_Expires": "-1"}, "X-Amz-Expires must be non-negative"),
        ({"X_Amz_Expires": "604801"}, week),
    ]
    for changes, message in cases:
        expect_error(get(cell, changed(url, **changes), status=400), 400, QUERY_ERROR, message)
        expect_bare(curl(cell, changed(url, **changes), "--head"), 400)
    elsewhere = changed(url, **credential(ACCESS_KEY, day, "eu-central-1", "s3", "aws4_request"))
    message = parsing + f"the region 'eu-central-1' is wrong; expecting '{REGION}'"
    answer = get(cell, elsewhere, status=400)
    expect_error(answer, 400, QUERY_ERROR, message, ["Region"], Region=REGION)
    equal(answer.headers.get("x-amz-bucket-region"), REGION, "x-amz-bucket-region")
    answer = get(cell, changed(url, X_Amz_Algorithm="AWS4-HMAC-SHA1"), status=400)
    expect_error(answer, 400, QUERY_ERROR)
    answer = get(cell, changed(url, X_Amz_SignedHeaders=""), status=403)
    expect_error(answer, 403, "AccessDenied", NOT_SIGNED, ["HeadersNotSigned"], HeadersNotSigned="host")


def header_signed(cell, server):
    """Requests signed in the Authorization header, by botocore, sent with curl."""

    def signed(offset=0, keys=(ACCESS_KEY, SECRET_KEY), region=REGION):
        request = botocore.awsrequest.AWSRequest("GET", f"{server.endpoint}/{BUCKET}/key")
        request.context["signing"] = {"disableDoubleEncoding": True}
        with clock(offset):
            botocore.auth.S3SigV4Auth(Credentials(*keys), "s3", region).add_auth(request)
        prepared = request.prepare()
        headers = [part for name, value in prepared.headers.items() for part in ("--header", f"{name}: {value}")]
        return prepared, curl(cell, prepared.url, *headers), headers

    equal(signed()[1].status, 200, "status of a request signed in its header")
    expect_mismatch(signed(keys=(ACCESS_KEY, "wrong"))[1], 4)
    expect_error(
        signed(keys=("AKIDNOBODY0000000001", "x"))[1],
        403, "InvalidAccessKeyId", UNKNOWN_KEY, ["AWSAccessKeyId"], AWSAccessKeyId="AKIDNOBODY0000000001",
    )
    for offset in (-1800, 1800):
        request, answer, _ = signed(offset=offset)
        found = expect_error(
            answer, 403, "RequestTimeTooSkewed", "The difference between the request time and the current time is too large.",
            ["RequestTime", "ServerTime", "MaxAllowedSkewMilliseconds"],
            RequestTime=request.headers["X-Amz-Date"], MaxAllowedSkewMilliseconds="900000",
        )
        expect_near_now(found["ServerTime"])
    expect_error(
        signed(region="eu-central-1")[1], 400, "AuthorizationHeaderMalformed",
        f"The authorization header is malformed; the region 'eu-central-1' is wrong; expecting '{REGION}'",
        ["Region"], Region=REGION,
    )
    request, _, headers = signed()
    answer = curl(cell, request.url, *headers, "--header", "x-amz-meta-late: 1")
    expect_error(answer, 403, "AccessDenied", NOT_SIGNED, ["HeadersNotSigned"], HeadersNotSigned="x-amz-meta-late")


# ---- curl alone -----------------------------------------------------------------------------------------------------


@flow("refused", "curl")
def refused_curl(cell):
    """Requests that no SDK makes: unsigned, garbled, half-signed."""
    server = cell.serve()
    client = boto(server)
    client.put_object(Bucket=BUCKET, Key="key", Body=b"kept")
    base = f"{server.endpoint}/{BUCKET}"
    for path in ("/key", "/missing", "?list-type=2", ""):
        expect_error(get(cell, base + path, status=403), 403, "AccessDenied", "Access Denied")
        expect_bare(curl(cell, base + path, "--head"), 403)
    expect_error(upload(cell, f"{base}/new", b"anonymous", status=403), 403, "AccessDenied", "Access Denied")
    expect_error(curl(cell, f"{base}/key", "--request", "DELETE"), 403, "AccessDenied", "Access Denied")
    expect_absent(client, "new")
    equal(client.get_object(Bucket=BUCKET, Key="key")["Body"].read(), b"kept", "the object after anonymous requests")
    expect_error(
        get(cell, f"{server.endpoint}/no-such-bucket/key", status=404),
        404, "NoSuchBucket", "The specified bucket does not exist", ["BucketName"], BucketName="no-such-bucket",
    )

    malformed = "The authorization header is malformed; "
    three = malformed + "the authorization header requires three components: Credential, SignedHeaders, and Signature."
    pairs = ["ArgumentName", "ArgumentValue"]
    for value, code, message, elements in (
        ("Nonsense", "InvalidArgument", "Authorization header is invalid -- one and only one ' ' (space) required.", pairs),
        ("Bearer token", "InvalidArgument", "Unsupported Authorization Type", pairs),
        ("AWS4-HMAC-SHA256 x", "AuthorizationHeaderMalformed", three, []),
    ):
        answer = get(cell, f"{base}/key", "--header", f"Authorization: {value}", status=400)
        expect_error(answer, 400, code, message, elements, **({"ArgumentValue": value} if elements else {}))

    # Neither a bad escape nor bytes that are no text reach a key.
    url = client.generate_presigned_url("get_object", Params={"Bucket": BUCKET, "Key": "key"})
    equal(curl(cell, url.replace("/key?", "/%ZZ?")).status, 400, "status of a bad escape")
    expect_error(get(cell, url.replace("/key?", "/%FF?"), status=400), 400, "InvalidURI", None, ["URI"])
    # A refusal comes before the body is asked for.
    big = cell.file("big", bytes(30_000_000))
    answer = curl(cell, url, "--upload-file", big, "--header", "Expect: 100-continue", "--write-out", "%{size_upload} 1.1")
    equal(answer.status, 0, "bytes uploaded after a refusal, with Expect: 100-continue")
    # Without it, the client is still told.
    answer = curl(cell, url, "--upload-file", cell.file("small", bytes(500_000)), "--header", "Expect:")
    expect_mismatch(answer, 2)

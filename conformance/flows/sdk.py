"""What SDKs do of their own accord: checksums, streaming bodies, conditional writes, emptying and removing buckets."""

import base64
import hashlib
import hmac
import io
import time
import zlib
from datetime import datetime, timezone

import boto3
from botocore.exceptions import ClientError
from minio.error import S3Error

from clients import BUCKET, Aws, Rclone, boto, ibm, minio_client, node
from flows import flow
from harness import (
    ACCESS_KEY, FAILS, MIB, REGION, SECRET_KEY, base64_md5, check, curl, equal, expect_absent, expect_error, expect_mismatch, md5, noise,
    refused, run_command,
)


def reflected_crc(data, polynomial, bits):
    """A CRC with reflected input and output, all ones before and after, as base64 of its big-endian bytes."""
    table = []
    for value in range(256):
        for _ in range(8):
            value = (value >> 1) ^ (polynomial if value & 1 else 0)
        table.append(value)
    crc = ones = (1 << bits) - 1
    for byte in data:
        crc = table[(crc ^ byte) & 0xFF] ^ (crc >> 8)
    return base64.b64encode((crc ^ ones).to_bytes(bits // 8, "big")).decode()


CHECKSUMS = {
    "CRC32": lambda data: base64.b64encode(zlib.crc32(data).to_bytes(4, "big")).decode(),
    "CRC32C": lambda data: reflected_crc(data, 0x82F63B78, 32),
    "CRC64NVME": lambda data: reflected_crc(data, 0x9A6C9329AC4BC9B5, 64),
    "SHA1": lambda data: base64.b64encode(hashlib.sha1(data).digest()).decode(),
    "SHA256": lambda data: base64.b64encode(hashlib.sha256(data).digest()).decode(),
}
CONTENT = noise(200_000, seed=9)


@flow("sdk", "boto3")
def sdk_boto3(cell):
    for tls in (False, True):
        server = cell.serve(tls=tls, store=f"store-{tls}")
        for calculation in ("when_supported", "when_required"):
            checksums(server, boto(server, request_checksum_calculation=calculation), calculation, tls)
    server = cell.serve(store="rest")
    client = boto(server)
    wrong_digests(client)
    composite(client)
    metadata_and_copies(client)
    conditional_writes(client)
    multipart_family(client)
    emptying(client)
    not_implemented(cell, server, client)


def checksums(server, client, calculation, tls):
    sent = {}
    client.meta.events.register("before-send.s3.PutObject", lambda request, **_: sent.update(request.headers) or None)
    for kind in ("bytes", "stream"):
        key = f"{calculation} {kind}"
        sent.clear()
        client.put_object(Bucket=BUCKET, Key=key, Body=CONTENT if kind == "bytes" else io.BytesIO(CONTENT))
        mode = (sent.get("X-Amz-Content-SHA256") or b"").decode()
        if calculation == "when_supported" and tls:
            equal(mode, "STREAMING-UNSIGNED-PAYLOAD-TRAILER", "payload mode over TLS")
        found = client.get_object(Bucket=BUCKET, Key=key, ChecksumMode="ENABLED")
        equal((found["Body"].read(), found["ETag"]), (CONTENT, f'"{md5(CONTENT)}"'), f"content of {key}")
        default = "CRC32" if calculation == "when_supported" else "CRC64NVME"
        equal(found.get(f"Checksum{default}"), CHECKSUMS[default](CONTENT), f"{default} of {key}")
        equal(found.get("ContentEncoding"), None, f"Content-Encoding of {key}")
    for algorithm, compute in CHECKSUMS.items():
        if algorithm in ("CRC32", "SHA1", "SHA256"):  # The others need a native library in botocore.
            answer = client.put_object(Bucket=BUCKET, Key=algorithm, Body=io.BytesIO(CONTENT), ChecksumAlgorithm=algorithm)
            equal(answer.get(f"Checksum{algorithm}"), compute(CONTENT), f"{algorithm} in the PUT answer")
        given = {f"Checksum{algorithm}": compute(CONTENT)}
        answer = client.put_object(Bucket=BUCKET, Key=algorithm, Body=CONTENT, **given)
        equal(answer.get(f"Checksum{algorithm}"), compute(CONTENT), f"{algorithm} in the PUT answer, when given")
        head = client.head_object(Bucket=BUCKET, Key=algorithm, ChecksumMode="ENABLED")
        equal({name: head.get(name) for name in given}, given, f"{algorithm} in HEAD")
        equal(head.get("ChecksumType"), "FULL_OBJECT", "ChecksumType")
        quiet = client.head_object(Bucket=BUCKET, Key=algorithm)
        equal([name for name in CHECKSUMS if f"Checksum{name}" in quiet], [], "checksums that were not asked for")
        wrong = {f"Checksum{algorithm}": compute(b"other")}
        with refused(ClientError, "BadDigest", 400):
            client.put_object(Bucket=BUCKET, Key="bad", Body=CONTENT, **wrong)
        expect_absent(client, "bad")
    multi = client.put_object(Bucket=BUCKET, Key="md5", Body=CONTENT, ContentMD5=base64_md5(CONTENT))
    equal(multi["ETag"], f'"{md5(CONTENT)}"', "ETag of a body with Content-MD5")


def wrong_digests(client):
    client.put_object(Bucket=BUCKET, Key="kept", Body=b"kept")
    for digest, code in ((base64_md5(b"other"), "BadDigest"), ("bm8gbWQ1", "InvalidDigest"), ("?", "InvalidDigest")):
        for key in ("new", "kept"):
            with refused(client.exceptions.ClientError, code, 400):
                client.put_object(Bucket=BUCKET, Key=key, Body=CONTENT, ContentMD5=digest)
    expect_absent(client, "new")
    equal(client.get_object(Bucket=BUCKET, Key="kept")["Body"].read(), b"kept", "what was there before bad digests")


def composite(client):
    """The checksum of a multipart upload: of the parts' checksums, or of the whole."""
    parts = [noise(5 * MIB, seed=5), b"the rest"]
    for algorithm in ("CRC32", "SHA256"):
        name = {"Bucket": BUCKET, "Key": f"composite {algorithm}"}
        name["UploadId"] = client.create_multipart_upload(**name, ChecksumAlgorithm=algorithm)["UploadId"]
        done = []
        for number, body in enumerate(parts, 1):
            part = client.upload_part(**name, PartNumber=number, Body=body, ChecksumAlgorithm=algorithm)
            field = f"Checksum{algorithm}"
            equal(part.get(field), CHECKSUMS[algorithm](body), f"{algorithm} of part {number}")
            done.append({"PartNumber": number, "ETag": part["ETag"], field: part[field]})
        whole = client.complete_multipart_upload(**name, MultipartUpload={"Parts": done})
        raw = b"".join(base64.b64decode(part[field]) for part in done)
        equal(whole.get(field), f"{CHECKSUMS[algorithm](raw)}-2", f"{algorithm} of the whole")
        head = client.head_object(Bucket=BUCKET, Key=name["Key"], ChecksumMode="ENABLED")
        equal((head.get(field), head.get("ChecksumType")), (whole.get(field), "COMPOSITE"), "checksum in HEAD")


def metadata_and_copies(client):
    fields = {
        "ContentType": "text/x-a", "CacheControl": "max-age=5", "ContentDisposition": "inline", "ContentEncoding": "gzip",
        "ContentLanguage": "de", "Metadata": {"colour": "blue", "two-words": "a, b"},
    }
    client.put_object(Bucket=BUCKET, Key="fields", Body=b"x", Expires=datetime(2030, 1, 2, tzinfo=timezone.utc), **fields)

    def described(key):
        head = client.head_object(Bucket=BUCKET, Key=key)
        return {name: head.get(name) for name in fields}

    equal(described("fields"), fields, "headers kept with the object")
    source = {"Bucket": BUCKET, "Key": "fields"}
    copy = client.copy_object(Bucket=BUCKET, Key="copied é+", CopySource=source)
    equal(copy["CopyObjectResult"]["ETag"], f'"{md5(b"x")}"', "ETag of the copy")
    equal(described("copied é+"), fields, "headers of the copy")
    replaced = {"ContentType": "text/x-b", "Metadata": {"shape": "round"}}
    client.copy_object(Bucket=BUCKET, Key="fields", CopySource=source, MetadataDirective="REPLACE", **replaced)
    equal({name: described("fields")[name] for name in replaced}, replaced, "headers after a copy onto itself")
    with refused(ClientError, "InvalidRequest", 400):
        client.copy_object(Bucket=BUCKET, Key="fields", CopySource=source)
    with refused(ClientError, "NoSuchKey", 404):
        client.copy_object(Bucket=BUCKET, Key="copy", CopySource={"Bucket": BUCKET, "Key": "missing"})
    for condition in ({"CopySourceIfMatch": '"other"'}, {"CopySourceIfNoneMatch": f'"{md5(b"x")}"'}):
        with refused(ClientError, "PreconditionFailed", 412):
            client.copy_object(Bucket=BUCKET, Key="copy", CopySource=source, **condition)
    expect_absent(client, "copy")


def conditional_writes(client):
    first = client.put_object(Bucket=BUCKET, Key="once", Body=b"first", IfNoneMatch="*")
    with refused(ClientError, "PreconditionFailed", 412):
        client.put_object(Bucket=BUCKET, Key="once", Body=b"second", IfNoneMatch="*")
    client.put_object(Bucket=BUCKET, Key="once", Body=b"third", IfMatch=first["ETag"])
    with refused(ClientError, "PreconditionFailed", 412):
        client.put_object(Bucket=BUCKET, Key="once", Body=b"fourth", IfMatch=first["ETag"])
    with refused(ClientError, "NoSuchKey", 404):
        client.put_object(Bucket=BUCKET, Key="never", Body=b"x", IfMatch=first["ETag"])
    equal(client.get_object(Bucket=BUCKET, Key="once")["Body"].read(), b"third", "what the conditions let through")
    expect_absent(client, "never")


def multipart_family(client):
    """UploadPartCopy with a range, ListParts and ListMultipartUploads in pages, AbortMultipartUpload."""
    content = noise(11 * MIB, seed=6)
    client.put_object(Bucket=BUCKET, Key="source é+", Body=content)
    name = {"Bucket": BUCKET, "Key": "assembled"}
    name["UploadId"] = client.create_multipart_upload(**name)["UploadId"]
    parts = []
    for number, asked in enumerate((f"bytes=0-{5 * MIB - 1}", f"bytes={5 * MIB}-{11 * MIB - 1}"), 1):
        source = {"Bucket": BUCKET, "Key": "source é+"}
        copied = client.upload_part_copy(**name, PartNumber=number, CopySource=source, CopySourceRange=asked)
        parts.append({"PartNumber": number, "ETag": copied["CopyPartResult"]["ETag"]})
    pages = list(client.get_paginator("list_parts").paginate(**name, PaginationConfig={"PageSize": 1}))
    equal([(len(page["Parts"]), page["Parts"][0]["ETag"]) for page in pages], [(1, part["ETag"]) for part in parts], "pages of parts")
    for wrong in ([parts[1], parts[0]], [{**parts[0], "ETag": parts[1]["ETag"]}], [{**parts[0], "PartNumber": 3}]):
        with refused(ClientError, "InvalidPartOrder" if len(wrong) == 2 else "InvalidPart", 400):
            client.complete_multipart_upload(**name, MultipartUpload={"Parts": wrong})
    client.complete_multipart_upload(**name, MultipartUpload={"Parts": parts})
    equal(md5(client.get_object(Bucket=BUCKET, Key="assembled")["Body"].read()), md5(content), "the assembled copy")
    small = {"Bucket": BUCKET, "Key": "small parts"}
    small["UploadId"] = client.create_multipart_upload(**small)["UploadId"]
    parts = [
        {"PartNumber": n, "ETag": client.upload_part(**small, PartNumber=n, Body=b"small")["ETag"]} for n in (1, 2)
    ]
    with refused(ClientError, "EntityTooSmall", 400):
        client.complete_multipart_upload(**small, MultipartUpload={"Parts": parts})
    ids = [client.create_multipart_upload(Bucket=BUCKET, Key=f"open/{n}")["UploadId"] for n in range(5)]
    pages = client.get_paginator("list_multipart_uploads").paginate(
        Bucket=BUCKET, Prefix="open/", PaginationConfig={"PageSize": 2}
    )
    equal([item["UploadId"] for page in pages for item in page["Uploads"]], ids, "open uploads in pages of two")
    client.abort_multipart_upload(**small)
    with refused(ClientError, "NoSuchUpload", 404):
        client.upload_part(**small, PartNumber=3, Body=b"late")
    expect_absent(client, "small parts")


def emptying(client):
    """A bucket as tools empty it: by versions with the id `null`, with a checksum in place of Content-MD5."""
    with refused(ClientError, "BucketNotEmpty", 409):
        client.delete_bucket(Bucket=BUCKET)
    versions = client.list_object_versions(Bucket=BUCKET)
    check("DeleteMarkers" not in versions, "no delete markers")
    objects = [{"Key": item["Key"], "VersionId": item["VersionId"]} for item in versions["Versions"]]
    check(len(objects) > 3 and {item["VersionId"] for item in objects} == {"null"}, f"versions `null` in {objects[:3]}")
    answer = client.delete_objects(Bucket=BUCKET, Delete={"Objects": objects, "Quiet": True})
    check("Errors" not in answer and "Deleted" not in answer, f"a quiet answer: {answer}")
    equal(client.list_objects_v2(Bucket=BUCKET)["KeyCount"], 0, "keys left")
    again = client.delete_objects(Bucket=BUCKET, Delete={"Objects": [{"Key": "never there"}]})
    equal([item["Key"] for item in again["Deleted"]], ["never there"], "what was never there is deleted")
    check(client.list_multipart_uploads(Bucket=BUCKET)["Uploads"], "open uploads in the bucket")
    client.delete_bucket(Bucket=BUCKET)
    with refused(ClientError, "NoSuchBucket", 404):
        client.list_objects_v2(Bucket=BUCKET)
    client.create_bucket(Bucket=BUCKET)
    equal(client.list_multipart_uploads(Bucket=BUCKET).get("Uploads", []), [], "the uploads went with the bucket")
    equal([item["Name"] for item in client.list_buckets()["Buckets"]], [BUCKET], "buckets")
    equal(client.get_bucket_location(Bucket=BUCKET)["LocationConstraint"], None, "location of us-east-1")
    equal(client.get_bucket_request_payment(Bucket=BUCKET)["Payer"], "BucketOwner", "who pays")
    client.head_bucket(Bucket=BUCKET)


def not_implemented(cell, server, client):
    """Operations of S3 that the server does not have. One that comes to be implemented leaves this list."""
    name = {"Bucket": BUCKET}
    client.put_object(**name, Key="key", Body=b"untouched")
    calls = {
        "put_bucket_acl": {"ACL": "private"},
        "put_bucket_policy": {"Policy": "{}"},
        "get_bucket_replication": {},
        "get_bucket_logging": {},
        "get_bucket_website": {},
        "get_bucket_accelerate_configuration": {},
        "get_bucket_notification_configuration": {},
        "get_object_torrent": {"Key": "key"},
        "put_object_legal_hold": {"Key": "key", "LegalHold": {"Status": "ON"}},
        "restore_object": {"Key": "key", "RestoreRequest": {"Days": 1}},
    }
    for operation, more in calls.items():
        with refused(ClientError, "NotImplemented", 501):
            getattr(client, operation)(**name, **more)
    equal(client.get_object(**name, Key="key")["Body"].read(), b"untouched", "the object after what is not implemented")
    # Other services of AWS are asked for with a POST to the root.
    answer = curl(cell, f"{server.endpoint}/", "--request", "POST")
    expect_error(answer, 501, "NotImplemented", elements=["additionalMessage"])
    keys = {"aws_access_key_id": ACCESS_KEY, "aws_secret_access_key": SECRET_KEY}
    iam = boto3.client("iam", endpoint_url=server.endpoint, region_name=REGION, config=client.meta.config, **keys)
    try:
        iam.list_users()
    except ClientError as error:
        equal(error.response["ResponseMetadata"]["HTTPStatusCode"], 501, "status for another service")
    else:
        check(False, "another service is refused")


@flow("sdk", "ibm")
def sdk_ibm(cell):
    server = cell.serve()
    client = ibm(server)
    wrong_digests(client)
    answer = client.put_object(Bucket=BUCKET, Key="key", Body=CONTENT, ContentMD5=base64_md5(CONTENT), Metadata={"a": "b"})
    equal(answer["ETag"], f'"{md5(CONTENT)}"', "ETag")
    equal(client.head_object(Bucket=BUCKET, Key="key")["Metadata"], {"a": "b"}, "metadata")
    equal(client.list_buckets()["Buckets"][0]["Name"], BUCKET, "buckets")
    client.delete_objects(Bucket=BUCKET, Delete={"Objects": [{"Key": "key"}, {"Key": "kept"}]})
    client.delete_bucket(Bucket=BUCKET)
    equal(client.list_buckets()["Buckets"], [], "buckets after delete_bucket")


@flow("sdk", "aws")
def sdk_aws(cell):
    for tls in (False, True):
        server = cell.serve(tls=tls, store=f"store-{tls}")
        aws, source = Aws(cell, server), cell.file("source", CONTENT)
        for algorithm in ("SHA256",) if tls else ("CRC32", "SHA1", "SHA256"):
            put = ["s3api", "put-object", "--bucket", BUCKET, "--key", algorithm, "--body", source]
            answer = aws(*put, "--checksum-algorithm", algorithm).stdout
            check(CHECKSUMS[algorithm](CONTENT) in answer, f"{algorithm} in {answer}")
            aws("s3", "cp", source, f"s3://{BUCKET}/cp-{algorithm}", "--checksum-algorithm", algorithm)
            aws("s3", "cp", f"s3://{BUCKET}/cp-{algorithm}", cell.folder / "back", "--checksum-mode", "ENABLED")
            equal((cell.folder / "back").read_bytes(), CONTENT, f"content after cp with {algorithm}")
        wrong = aws(*put[:4], "--key", "bad", "--body", source, "--content-md5", base64_md5(b"other"), status=FAILS).stderr
        check("BadDigest" in wrong, f"BadDigest in {wrong}")
        expect_absent(boto(server), "bad")
        once = [*put[:4], "--key", "once", "--body", source, "--if-none-match", "*"]
        aws(*once)
        check("PreconditionFailed" in aws(*once, status=FAILS).stderr, "a second conditional put")


@flow("sdk", "minio")
def sdk_minio(cell):
    server = cell.serve(buckets=())
    client = minio_client(server)
    client.make_bucket(BUCKET)
    equal([bucket.name for bucket in client.list_buckets()], [BUCKET], "list_buckets")
    put = client.put_object(BUCKET, "key", io.BytesIO(CONTENT), len(CONTENT), content_type="text/x-a")
    equal(put.etag, md5(CONTENT), "etag")
    part = client.get_object(BUCKET, "key", offset=100, length=50)
    equal((part.read(), part.headers["Content-Type"]), (CONTENT[100:150], "text/x-a"), "a range")
    for call, code in (
        (lambda: client.stat_object(BUCKET, "missing"), "NoSuchKey"),
        (lambda: client.get_object(BUCKET, "missing"), "NoSuchKey"),
        (lambda: client.get_object("missing-bucket", "key"), "NoSuchBucket"),
        (lambda: client.remove_bucket(BUCKET), "BucketNotEmpty"),
    ):
        try:
            call()
        except S3Error as error:
            equal(error.code, code, "error code")
        else:
            check(False, f"the call was refused with {code}")
    client.remove_object(BUCKET, "key")
    client.remove_bucket(BUCKET)


@flow("sdk", "rclone")
def sdk_rclone(cell):
    """Modified times kept as metadata, streams of unknown length, sums compared after every transfer."""
    server = cell.serve()
    for number, settings in enumerate(({}, {"USE_MULTIPART_UPLOADS": "true", "UPLOAD_CUTOFF": "5M", "CHUNK_SIZE": "5M"})):
        rclone, source = Rclone(cell, server, **settings), cell.file("source", noise(12 * MIB))
        rclone("copyto", "--checksum", source, f"s3:{BUCKET}/{number}")
        rclone("touch", "--timestamp", "2020-01-02T03:04:05", f"s3:{BUCKET}/{number}")
        listed = rclone("lsf", "--format", "pt", f"s3:{BUCKET}/{number}").stdout
        equal(listed, f"{number};2020-01-02 03:04:05\n", "the time after touch")
        command = [*rclone.command, "rcat", f"s3:{BUCKET}/stream-{number}"]
        run_command(command, rclone.environment, input=source.read_bytes(), text=False)
        equal(boto(server).get_object(Bucket=BUCKET, Key=f"stream-{number}")["Body"].read(), source.read_bytes(), "rcat")


@flow("sdk", "js")
def sdk_js(cell):
    node(cell, cell.serve(), "sdk")
    server = cell.serve(store="virtual")
    node(cell, server, "sdk", style="virtual", endpoint=server.named_endpoint)


# ---- signed chunks, as the Java, Go and .NET SDKs send them over http -----------------------------------------------


class SignedChunks:
    """A PUT whose chunks, and trailer if there is one, are each signed after the one before."""

    def __init__(self, server, key, chunks, trailer=None):
        now = time.strftime("%Y%m%dT%H%M%SZ", time.gmtime())
        self.now, self.scope = now, f"{now[:8]}/{REGION}/s3/aws4_request"
        self.url = f"{server.endpoint}/{BUCKET}/{key}"
        signing = ("AWS4" + SECRET_KEY).encode()
        for part in self.scope.split("/"):
            signing = hmac.digest(signing, part.encode(), "sha256")
        self.signing = signing
        self.headers = {
            "host": server.endpoint.partition("://")[2],
            "x-amz-content-sha256": "STREAMING-AWS4-HMAC-SHA256-PAYLOAD" + ("-TRAILER" if trailer else ""),
            "x-amz-date": now,
            "x-amz-decoded-content-length": str(sum(map(len, chunks))),
            **({"x-amz-trailer": trailer[0]} if trailer else {}),
        }
        names = ";".join(sorted(self.headers))
        lines = "".join(f"{name}:{self.headers[name]}\n" for name in sorted(self.headers))
        canonical = f"PUT\n/{BUCKET}/{key}\n\n{lines}\n{names}\n{self.headers['x-amz-content-sha256']}"
        self.signature = self.sign("AWS4-HMAC-SHA256", hashlib.sha256(canonical.encode()).hexdigest())
        credential = f"AWS4-HMAC-SHA256 Credential={ACCESS_KEY}/{self.scope}"
        self.headers["authorization"] = f"{credential}, SignedHeaders={names}, Signature={self.signature}"
        self.body = b"".join(self.chunk(data) for data in [*chunks, b""])
        if trailer:
            line = f"{trailer[0]}:{trailer[1]}"
            digest = hashlib.sha256(f"{line}\n".encode()).hexdigest()
            signature = self.sign("AWS4-HMAC-SHA256-TRAILER", self.signature, digest)
            self.body = self.body[:-2] + f"{line}\r\nx-amz-trailer-signature:{signature}\r\n\r\n".encode()

    def sign(self, algorithm, *rest):
        text = "\n".join([algorithm, self.now, self.scope, *rest])
        return hmac.digest(self.signing, text.encode(), "sha256").hex()

    def chunk(self, data):
        empty, digest = hashlib.sha256(b"").hexdigest(), hashlib.sha256(data).hexdigest()
        self.signature = self.sign("AWS4-HMAC-SHA256-PAYLOAD", self.signature, empty, digest)
        return f"{len(data):x};chunk-signature={self.signature}\r\n".encode() + data + b"\r\n"

    def send(self, cell, *options):
        headers = [part for name, value in self.headers.items() if name != "host" for part in ("--header", f"{name}: {value}")]
        return curl(cell, self.url, "--upload-file", cell.file("chunks", self.body), *headers, *options)


@flow("sdk", "curl")
def sdk_curl(cell):
    server = cell.serve()
    client = boto(server)
    chunks = [CONTENT[:65536], CONTENT[65536:131072], CONTENT[131072:]]
    trailers = [None, *((f"x-amz-checksum-{name.lower()}", compute(CONTENT)) for name, compute in CHECKSUMS.items())]
    for trailer in trailers:
        for options in ([], ["--header", "Content-Encoding: gzip,aws-chunked"], ["--header", "Transfer-Encoding: chunked"]):
            answer = SignedChunks(server, "chunks", chunks, trailer).send(cell, *options)
            equal((answer.status, answer.body), (200, b""), f"answer to signed chunks with {trailer} and {options}")
            equal(answer.headers["etag"], f'"{md5(CONTENT)}"', "ETag of signed chunks")
            found = client.get_object(Bucket=BUCKET, Key="chunks", ChecksumMode="ENABLED")
            equal(found["Body"].read(), CONTENT, "content of signed chunks")
            equal(found.get("ContentEncoding"), "gzip" if "gzip" in str(options) else None, "Content-Encoding that is kept")
            name, value = trailer or ("x-amz-checksum-crc64nvme", CHECKSUMS["CRC64NVME"](CONTENT))
            equal(found["ResponseMetadata"]["HTTPHeaders"].get(name), value, f"{name} that is kept")
    client.delete_object(Bucket=BUCKET, Key="chunks")

    def broken(change, trailer=None):
        request = SignedChunks(server, "chunks", chunks, trailer)
        request.body = change(request.body)
        return request.send(cell)

    crc = ("x-amz-checksum-crc32", CHECKSUMS["CRC32"](CONTENT))
    for trailer in (None, crc):
        for place in (100, 65536 + 200):  # In the data of the first chunk and of the second.
            answer = broken(lambda body, at=place: body[:at] + bytes([body[at] ^ 1]) + body[at + 1 :], trailer)
            expect_mismatch(answer, 4, of="AWS4-HMAC-SHA256-PAYLOAD")
        incomplete = broken(lambda body: body[:150_000], trailer)
        expect_error(incomplete, 400, "IncompleteBody", "The request body terminated unexpectedly")
    expect_mismatch(broken(lambda body: body[:-10] + b"0000" + body[-6:], crc), 4, of="AWS4-HMAC-SHA256-TRAILER")
    wrong = SignedChunks(server, "chunks", chunks, ("x-amz-checksum-crc32", CHECKSUMS["CRC32"](b"other"))).send(cell)
    expect_error(wrong, 400, "BadDigest", "The CRC32 you specified did not match the calculated checksum.")
    small = SignedChunks(server, "chunks", [CONTENT[:100], CONTENT[100:]]).send(cell)
    expect_error(
        small, 403, "InvalidChunkSizeError", "Only the last chunk is allowed to have a size less than 8192 bytes",
        ["Chunk", "BadChunkSize"], Chunk="2", BadChunkSize="100",
    )
    expect_absent(client, "chunks")

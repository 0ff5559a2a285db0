"""The ten checksums: as SDKs send them by themselves, of objects, of parts and of copies, and in answers."""

import base64
import hashlib

from awscrt.checksums import XXHash

from clients import BUCKET, boto, node, sign_with_runtime
from flows import flow
from flows.sdk import CHECKSUMS as FIRST_FIVE
from harness import MIB, check, equal, noise, refused


def hashed(name):
    return lambda data: base64.b64encode(hashlib.new(name, data).digest()).decode()


def xxhash(new):
    def value(data):
        state = new()
        state.update(data)
        return base64.b64encode(state.finalize()).decode()

    return value


CHECKSUMS = FIRST_FIVE | {
    "SHA512": hashed("sha512"),
    "MD5": hashed("md5"),
    "XXHASH64": xxhash(XXHash.new_xxhash64),
    "XXHASH3": xxhash(XXHash.new_xxhash3_64),
    "XXHASH128": xxhash(XXHash.new_xxhash3_128),
}
#: Those that have a value over the whole of several parts.
COMBINING = ("CRC32", "CRC32C", "CRC64NVME")
CONTENT = noise(100_000, seed=31)
PARTS = [b"a" * (5 * MIB), b"the end"]


@flow("checksums", "boto3")
def checksums_boto3(cell):
    sign_with_runtime()
    for tls in (False, True):
        # Over TLS botocore sends the value behind the body, else in a header.
        client = boto(cell.serve(tls=tls, store=f"store-{tls}"))
        for algorithm, value in CHECKSUMS.items():
            one(client, algorithm, value(CONTENT), value(b"other"))
            copied(client, algorithm, value(CONTENT))
            if not tls:
                composite(client, algorithm, value)


def sent(algorithm, value):
    """How botocore is told of a checksum: it computes all but MD5, whose value it takes."""
    return {f"Checksum{algorithm}": value} if algorithm == "MD5" else {"ChecksumAlgorithm": algorithm}


def one(client, algorithm, value, wrong):
    field = f"Checksum{algorithm}"
    answer = client.put_object(Bucket=BUCKET, Key=algorithm, Body=CONTENT, **sent(algorithm, value))
    equal(answer.get(field), value, f"PutObject: {field}")
    equal(answer.get("ChecksumType"), "FULL_OBJECT", f"PutObject: type of {algorithm}")
    head = client.head_object(Bucket=BUCKET, Key=algorithm, ChecksumMode="ENABLED")
    equal(head.get(field), value, f"HeadObject: {field}")
    body = client.get_object(Bucket=BUCKET, Key=algorithm, ChecksumMode="ENABLED")
    equal(body.get(field), value, f"GetObject: {field}")
    equal(body["Body"].read() == CONTENT, True, f"the body, which botocore holds against its {algorithm}")
    asked = client.get_object_attributes(Bucket=BUCKET, Key=algorithm, ObjectAttributes=["Checksum"])
    equal(asked["Checksum"], {field: value, "ChecksumType": "FULL_OBJECT"}, "GetObjectAttributes")
    listed = client.list_objects_v2(Bucket=BUCKET, Prefix=algorithm)["Contents"]
    equal([item["ChecksumAlgorithm"] for item in listed if item["Key"] == algorithm], [[algorithm]], "ListObjectsV2")
    with refused(client.exceptions.ClientError, "BadDigest", 400):
        client.put_object(Bucket=BUCKET, Key=algorithm, Body=CONTENT, **{field: wrong})
    with refused(client.exceptions.ClientError, "InvalidRequest", 400):
        client.put_object(Bucket=BUCKET, Key=algorithm, Body=CONTENT, **{field: "bm9uZQ=="[:-2] + "="})


def copied(client, algorithm, value):
    source = {"Bucket": BUCKET, "Key": "CRC32"}
    answer = client.copy_object(Bucket=BUCKET, Key="copy", CopySource=source, ChecksumAlgorithm=algorithm)
    equal(answer["CopyObjectResult"].get(f"Checksum{algorithm}"), value, f"CopyObject: {algorithm}")


def composite(client, algorithm, value):
    field, key = f"Checksum{algorithm}", f"parts-{algorithm}"
    upload = client.create_multipart_upload(Bucket=BUCKET, Key=key, ChecksumAlgorithm=algorithm)
    kind = "FULL_OBJECT" if algorithm == "CRC64NVME" else "COMPOSITE"
    equal(upload["ChecksumType"], kind, f"the type of parts with {algorithm}")
    name = {"Bucket": BUCKET, "Key": key, "UploadId": upload["UploadId"]}
    parts = []
    for number, part in enumerate(PARTS, 1):
        answer = client.upload_part(**name, PartNumber=number, Body=part, **sent(algorithm, value(part)))
        equal(answer.get(field), value(part), f"UploadPart: {field}")
        parts.append({"PartNumber": number, "ETag": answer["ETag"], field: answer[field]})
    shown = client.list_parts(**name)["Parts"]
    equal([part.get(field) for part in shown], [value(part) for part in PARTS], f"ListParts: {field}")
    done = client.complete_multipart_upload(**name, MultipartUpload={"Parts": parts})
    raw = b"".join(base64.b64decode(value(part)) for part in PARTS)
    whole = value(b"".join(PARTS)) if kind == "FULL_OBJECT" else f"{value(raw)}-{len(PARTS)}"
    equal(done.get(field), whole, f"CompleteMultipartUpload: {field}")
    head = client.head_object(Bucket=BUCKET, Key=key, PartNumber=2, ChecksumMode="ENABLED")
    equal(head.get(field), value(PARTS[1]) if kind == "COMPOSITE" else None, f"part 2: {field}")
    copy = client.copy_object(Bucket=BUCKET, Key=f"{key}-copy", CopySource={"Bucket": BUCKET, "Key": key})
    equal(copy["CopyObjectResult"].get(field), value(b"".join(PARTS)), f"a copy, which is one body: {field}")
    if algorithm not in COMBINING:
        with refused(client.exceptions.ClientError, "InvalidRequest", 400):
            client.create_multipart_upload(Bucket=BUCKET, Key=key, ChecksumAlgorithm=algorithm, ChecksumType="FULL_OBJECT")


@flow("checksums", "js")
def checksums_js(cell):
    server = cell.serve()
    node(cell, server, "checksums")
    # What the SDK wrote, as boto3 sees it.
    client = boto(server)
    for algorithm, value in CHECKSUMS.items():
        head = client.head_object(Bucket=BUCKET, Key=algorithm, ChecksumMode="ENABLED")
        body = client.get_object(Bucket=BUCKET, Key=algorithm)["Body"].read()
        equal(head.get(f"Checksum{algorithm}"), value(body), f"what the SDK sent of {algorithm}")
        check(body, f"the body under {algorithm}")

"""Every method of the newest model of S3, each with the smallest input that it takes, and again with each header that
it may carry: whatever the server answers, a bucket with known content must stay as it is."""

import hashlib
from datetime import datetime, timezone

from botocore.exceptions import BotoCoreError, ClientError

from clients import boto
from flows import flow
from harness import check, equal

KNOWN, SCRATCH = "known-content", "scratch"
KEY, TAGGED = "key", "dir/tagged"

#: What this server does; all else must be refused.
DONE = {
    "AbortMultipartUpload", "CompleteMultipartUpload", "CopyObject", "CreateBucket", "CreateMultipartUpload",
    "DeleteBucket", "DeleteBucketLifecycle", "DeleteBucketTagging", "DeleteObject", "DeleteObjectTagging",
    "DeleteObjects", "GetBucketLifecycle", "GetBucketLifecycleConfiguration", "GetBucketLocation",
    "GetBucketRequestPayment", "GetBucketTagging", "GetBucketVersioning", "GetObject", "GetObjectAttributes",
    "GetObjectTagging", "HeadBucket", "HeadObject", "ListBuckets", "ListMultipartUploads", "ListObjectVersions",
    "ListObjects", "ListObjectsV2", "ListParts", "PutBucketLifecycle", "PutBucketLifecycleConfiguration",
    "PutBucketTagging", "PutBucketVersioning", "PutObject", "PutObjectTagging", "UploadPart", "UploadPartCopy",
}
#: Those of them that change something, if they are asked to: they are pointed at a bucket of their own.
CHANGING = {name for name in DONE if not name.startswith(("Get", "Head", "List"))}


@flow("surface", "boto3")
def surface(cell):
    server = cell.serve(buckets=(KNOWN, SCRATCH))
    client = boto(server, read_timeout=20)
    model = client.meta.service_model
    upload = fill(client)
    before = content(client)
    names = list(model.operation_names)
    check(len(names) > 110, f"the model has {len(names)} operations")
    for name in names:
        call(client, model, name, upload, before, None)
        for header in headers(model.operation_model(name)):
            call(client, model, name, upload, before, header)
    equal(content(client), before, "the bucket, after everything")


def fill(client):
    """Makes the known content; gives the id of an unfinished upload in each bucket."""
    for bucket in (KNOWN, SCRATCH):
        client.put_object(Bucket=bucket, Key=KEY, Body=b"kept", Metadata={"a": "b"}, ContentType="text/plain")
        client.put_object(Bucket=bucket, Key=TAGGED, Body=b"tagged", Tagging="a=b")
    client.put_bucket_tagging(Bucket=KNOWN, Tagging={"TagSet": [{"Key": "a", "Value": "b"}]})
    client.put_bucket_versioning(Bucket=KNOWN, VersioningConfiguration={"Status": "Enabled"})
    client.put_object(Bucket=KNOWN, Key=KEY, Body=b"kept, the second")
    upload = client.create_multipart_upload(Bucket=KNOWN, Key=KEY)["UploadId"]
    client.upload_part(Bucket=KNOWN, Key=KEY, UploadId=upload, PartNumber=1, Body=b"part")
    return upload


def content(client):
    """Everything that can be seen of the known bucket, and which buckets there are."""
    listed = client.list_object_versions(Bucket=KNOWN)
    versions = []
    for version in listed.get("Versions", []) + listed.get("DeleteMarkers", []):
        name = {"Bucket": KNOWN, "Key": version["Key"], "VersionId": version["VersionId"]}
        got = client.get_object(**name)
        tags = client.get_object_tagging(**name)["TagSet"]
        body = hashlib.sha256(got["Body"].read()).hexdigest()
        versions.append((version["Key"], version["VersionId"], version["IsLatest"], body, got["Metadata"], got["ContentType"], tags))
    uploads = [(upload["Key"], upload["UploadId"]) for upload in client.list_multipart_uploads(Bucket=KNOWN)["Uploads"]]
    parts = [client.list_parts(Bucket=KNOWN, Key=key, UploadId=upload)["Parts"] for key, upload in uploads]
    buckets = [bucket["Name"] for bucket in client.list_buckets()["Buckets"] if bucket["Name"] == KNOWN]
    settings = client.get_bucket_tagging(Bucket=KNOWN)["TagSet"], client.get_bucket_versioning(Bucket=KNOWN)["Status"]
    return versions, uploads, [[part["ETag"] for part in of] for of in parts], buckets, settings


def headers(operation):
    """The members that travel in headers and may be left out."""
    shape = operation.input_shape
    members = shape.members.items() if shape else ()
    return [
        name
        for name, member in members
        if member.serialization.get("location") in ("header", "headers") and name not in shape.required_members
    ]


def call(client, model, name, upload, before, header):
    operation = model.operation_model(name)
    changes = name in CHANGING
    bucket = SCRATCH if changes else KNOWN
    shape = operation.input_shape
    arguments = {}
    for member in shape.required_members if shape else ():
        arguments[member] = value(member, shape.members[member], bucket, upload)
    if header is not None:
        arguments[header] = value(header, shape.members[header], bucket, upload)
    what = f"{name} with {header}" if header else name
    method = getattr(client, _method(client, name))
    try:
        method(**arguments)
        status = 200
    except ClientError as error:
        status = error.response["ResponseMetadata"]["HTTPStatusCode"]
        check(status < 500 or error.response["Error"]["Code"] in ("NotImplemented", "501"), f"{what}: {error}")
    except (BotoCoreError, ValueError):
        # What the client refuses to send changes nothing.
        return
    check(status != 200 or name in DONE, f"{what} was answered as if it had been done")
    if status == 200 and not changes or name not in DONE:
        equal(content(client), before, f"the bucket after {what}")


def _method(client, name):
    methods = {operation: method for method, operation in client.meta.method_to_api_mapping.items()}
    return methods[name]


def value(name, shape, bucket, upload):
    """The smallest value of a shape, and for what names something, something that is there."""
    known = {
        "Bucket": bucket, "Key": KEY, "CopySource": f"{bucket}/{TAGGED}", "UploadId": upload, "PartNumber": 1, "Body": b"body",
        "RenameSource": f"{bucket}/{TAGGED}", "VersionId": "null", "Tagging": None, "AnnotationName": "note",
    }
    if known.get(name) is not None:
        return known[name]
    kind = shape.type_name
    if kind == "structure":
        return {
            member: value("", inner, bucket, upload)
            for member, inner in shape.members.items()
            if member in shape.required_members
        }
    if kind == "list":
        return [value("", shape.member, bucket, upload)]
    if kind == "map":
        return {"x": "x"}
    if kind == "timestamp":
        return datetime(2020, 1, 1, tzinfo=timezone.utc)
    if kind in ("integer", "long"):
        return 1
    if kind in ("float", "double"):
        return 1.0
    if kind == "boolean":
        return True
    if kind == "blob":
        return b"body"
    return shape.enum[0] if getattr(shape, "enum", None) else "x"

"""Versioning, tags and attributes, as the SDKs see them."""

import base64
import hashlib
import io
import time

from minio.commonconfig import ENABLED, REPLACE, CopySource, Tags
from minio.deleteobjects import DeleteObject
from minio.error import S3Error
from minio.versioningconfig import SUSPENDED, VersioningConfig

from clients import BUCKET, boto, ibm, minio_client, node
from flows import flow
from harness import ACCESS_KEY, MIB, SECRET_KEY, check, curl, equal, expect_absent, get, md5, noise, refused, upload

KEY = "dir/key é+"
UNKNOWN = "0123456789abcdef0123456789abcdef"
PARTS = [noise(5 * MIB, seed=11), noise(5 * MIB, seed=12), b"the end"]


def enable(client, status="Enabled", bucket=BUCKET):
    client.put_bucket_versioning(Bucket=bucket, VersioningConfiguration={"Status": status})


def body(client, **name):
    return client.get_object(Bucket=BUCKET, **name)["Body"].read()


def listed(client, **asked):
    """The versions and the markers: key, version, whether it is the latest."""
    pages = list(client.get_paginator("list_object_versions").paginate(Bucket=BUCKET, **asked))
    found = [
        [(item["Key"], item["VersionId"], item["IsLatest"]) for page in pages for item in page.get(kind, [])]
        for kind in ("Versions", "DeleteMarkers")
    ]
    return (*found, len(pages))


def tags_of(client, key=KEY, **version):
    return {tag["Key"]: tag["Value"] for tag in client.get_object_tagging(Bucket=BUCKET, Key=key, **version)["TagSet"]}


def tag_set(**tags):
    return {"TagSet": [{"Key": key, "Value": value} for key, value in tags.items()]}


# ---- boto3 and its IBM edition --------------------------------------------------------------------------------------


@flow("versions", "boto3")
def versions_boto3(cell):
    server = cell.serve()
    client = boto(server)
    history(client)
    suspended(client)
    pages(client)
    tags(client)
    bucket_tags(client)
    attributes(client)
    conflicts(client)
    urls(cell, server)
    quota(cell)


@flow("versions", "ibm")
def versions_ibm(cell):
    client = ibm(cell.serve())
    history(client)
    suspended(client)
    tags(client)
    bucket_tags(client)


def history(client):
    """A key from before versioning through versions and markers to nothing; the bucket ends as it began, but enabled."""
    error = client.exceptions.ClientError
    client.put_object(Bucket=BUCKET, Key=KEY, Body=b"null")
    check("Status" not in client.get_bucket_versioning(Bucket=BUCKET), "no word of versioning at first")
    with refused(error, "MalformedXML", 400):
        enable(client, "enabled")
    with refused(error, "IllegalVersioningConfigurationException", 400):
        client.put_bucket_versioning(Bucket=BUCKET, VersioningConfiguration={})
    with refused(error, "NoSuchBucket", 404):
        enable(client, bucket="missing-bucket")
    enable(client)
    equal(client.get_bucket_versioning(Bucket=BUCKET)["Status"], "Enabled", "versioning")
    ids = [client.put_object(Bucket=BUCKET, Key=KEY, Body=text)["VersionId"] for text in (b"one", b"two")]
    equal(len({*ids, "null"}), 3, f"different versions {ids}")
    for version, text in (("null", b"null"), (ids[0], b"one"), (ids[1], b"two")):
        found = client.get_object(Bucket=BUCKET, Key=KEY, VersionId=version)
        equal((found["Body"].read(), found["VersionId"]), (text, version), f"version {version}")
        head = client.head_object(Bucket=BUCKET, Key=KEY, VersionId=version)
        equal((head["ETag"], head["VersionId"]), (f'"{md5(text)}"', version), f"HEAD of version {version}")
    markers(client, ids)
    source = {"Bucket": BUCKET, "Key": KEY, "VersionId": ids[0]}
    copied = client.copy_object(Bucket=BUCKET, Key=KEY, CopySource=source)
    equal((copied["CopySourceVersionId"], body(client, Key=KEY)), (ids[0], b"one"), "an old version copied over the new")
    client.delete_object(Bucket=BUCKET, Key=KEY, VersionId=copied["VersionId"])
    equal(client.get_object(Bucket=BUCKET, Key=KEY)["VersionId"], ids[1], "the current version after the copy is deleted")
    doomed = [{"Key": KEY, "VersionId": version} for version in (*ids, "null", UNKNOWN, "junk")]
    answer = client.delete_objects(Bucket=BUCKET, Delete={"Objects": doomed})
    equal([item["VersionId"] for item in answer["Deleted"]], [*ids, "null", UNKNOWN], "versions deleted at once")
    equal([(item["Code"], item["VersionId"]) for item in answer["Errors"]], [("NoSuchVersion", "junk")], "what was not")
    equal(listed(client), ([], [], 1), "what is left")


def markers(client, ids):
    """The key is deleted and comes back."""
    error = client.exceptions.ClientError
    marker = client.delete_object(Bucket=BUCKET, Key=KEY)
    equal(marker["DeleteMarker"], True, "a deletion makes a marker")
    name = {"Bucket": BUCKET, "Key": KEY}
    for version, code, status in ((None, "NoSuchKey", 404), (marker["VersionId"], "MethodNotAllowed", 405)):
        try:
            client.get_object(**name, **({"VersionId": version} if version else {}))
        except error as refusal:
            equal(refusal.response["Error"]["Code"], code, f"code of GET with {version}")
            answer = refusal.response["ResponseMetadata"]
            shown = {header: answer["HTTPHeaders"].get(header) for header in ("x-amz-delete-marker", "x-amz-version-id")}
            equal(shown, {"x-amz-delete-marker": "true", "x-amz-version-id": marker["VersionId"]}, "the marker in the headers")
            equal(answer["HTTPStatusCode"], status, f"status of GET with {version}")
        else:
            check(False, f"GET with {version} is refused with {code}")
    expect_absent(client, KEY)
    equal(client.list_objects_v2(Bucket=BUCKET)["KeyCount"], 0, "keys that are listed")
    current = [(KEY, version, False) for version in (ids[1], ids[0], "null")]
    equal(listed(client), (current, [(KEY, marker["VersionId"], True)], 1), "versions and markers")
    for version, code, status in ((UNKNOWN, "NoSuchVersion", 404), ("junk", "InvalidArgument", 400)):
        with refused(error, code, status):
            client.get_object(**name, VersionId=version)
        with refused(error, code, status):
            client.copy_object(Bucket=BUCKET, Key="copy", CopySource={**name, "VersionId": version})
    with refused(error, "InvalidRequest", 400):
        client.copy_object(Bucket=BUCKET, Key="copy", CopySource={**name, "VersionId": marker["VersionId"]})
    with refused(error, "NoSuchKey", 404):
        client.copy_object(Bucket=BUCKET, Key="copy", CopySource=name)
    unknown = client.delete_object(**name, VersionId=UNKNOWN)
    equal((unknown["VersionId"], unknown.get("DeleteMarker")), (UNKNOWN, None), "deleting what never was")
    removed = client.delete_object(**name, VersionId=marker["VersionId"])
    equal((removed["VersionId"], removed["DeleteMarker"]), (marker["VersionId"], True), "deleting the marker")
    equal(client.get_object(**name)["VersionId"], ids[1], "what the marker hid")


def suspended(client):
    """While versioning is suspended there is one version `null`, object or marker."""
    kept = client.put_object(Bucket=BUCKET, Key="s", Body=b"kept")["VersionId"]
    enable(client, "Suspended")
    equal(client.get_bucket_versioning(Bucket=BUCKET)["Status"], "Suspended", "versioning")
    for text in (b"null one", b"null two"):
        client.put_object(Bucket=BUCKET, Key="s", Body=text)
        found = client.get_object(Bucket=BUCKET, Key="s")
        equal((found["Body"].read(), found["VersionId"]), (text, "null"), "a write while suspended")
        equal(listed(client, Prefix="s"), ([("s", "null", True), ("s", kept, False)], [], 1), "one version `null`")
    for _ in range(2):
        gone = client.delete_object(Bucket=BUCKET, Key="s")
        equal((gone["VersionId"], gone["DeleteMarker"]), ("null", True), "a deletion while suspended")
        equal(listed(client, Prefix="s"), ([("s", kept, False)], [("s", "null", True)], 1), "one marker `null`")
    client.delete_object(Bucket=BUCKET, Key="s", VersionId="null")
    equal(body(client, Key="s"), b"kept", "what the marker hid")
    client.delete_object(Bucket=BUCKET, Key="s", VersionId=kept)
    enable(client)


def pages(client):
    """Listings in pages of every size, by prefix and rolled up."""
    expected, hidden = [], []
    for key in ("a", "a/1", "a/2", "b"):
        versions = [client.put_object(Bucket=BUCKET, Key=key, Body=b"x")["VersionId"] for _ in range(3)]
        marker = client.delete_object(Bucket=BUCKET, Key=key)["VersionId"] if key == "a/2" else None
        hidden += [(key, marker, True)] if marker else []
        expected += [(key, version, version == versions[2] and not marker) for version in reversed(versions)]
    for size in range(1, 14):
        versions, found, count = listed(client, PaginationConfig={"PageSize": size})
        equal((versions, found), (expected, hidden), f"versions in pages of {size}")
        equal(count, -(-13 // size), f"pages of {size}")
    equal(listed(client, Prefix="a/")[0], [item for item in expected if item[0].startswith("a/")], "versions by prefix")
    rolled = client.list_object_versions(Bucket=BUCKET, Delimiter="/")
    equal([item["Prefix"] for item in rolled["CommonPrefixes"]], ["a/"], "common prefixes")
    equal(len(rolled["Versions"]), 6, "versions outside of the common prefix")
    with refused(client.exceptions.ClientError, "BucketNotEmpty", 409):
        client.delete_bucket(Bucket=BUCKET)
    versions, found, _ = listed(client)
    objects = [{"Key": key, "VersionId": version} for key, version, _ in versions + found]
    answer = client.delete_objects(Bucket=BUCKET, Delete={"Objects": objects, "Quiet": True})
    check("Errors" not in answer, f"the bucket is emptied: {answer}")
    equal(listed(client), ([], [], 1), "what is left")


def tags(client):
    """Tags of objects: by document and header, of versions, of copies; what they may be."""
    error = client.exceptions.ClientError
    name = {"Bucket": BUCKET, "Key": KEY}
    first = client.put_object(**name, Body=b"one", Tagging="n=one&plus=a%2Bb&word=%C3%BC")["VersionId"]
    equal(tags_of(client), {"n": "one", "plus": "a+b", "word": "ü"}, "tags of the header")
    equal(client.get_object(**name).get("TagCount"), 3, "TagCount")
    second = client.put_object(**name, Body=b"two")["VersionId"]
    equal(tags_of(client), {}, "tags of the next version")
    answer = client.put_object_tagging(**name, Tagging=tag_set(n="two"))
    equal(answer["VersionId"], second, "the version that was tagged")
    answer = client.put_object_tagging(**name, VersionId=first, Tagging=tag_set(old="yes", more=""))
    equal(answer["VersionId"], first, "the version that was tagged, named")
    equal((tags_of(client), tags_of(client, VersionId=first)), ({"n": "two"}, {"old": "yes", "more": ""}), "tags of both")
    for key, directive, expected in (
        ("kept", {}, {"n": "two"}),
        ("replaced", {"TaggingDirective": "REPLACE", "Tagging": "x=y"}, {"x": "y"}),
        ("dropped", {"TaggingDirective": "REPLACE"}, {}),
    ):
        client.copy_object(Bucket=BUCKET, Key=key, CopySource=name, **directive)
        equal(tags_of(client, key), expected, f"tags of the copy, {key}")
    client.delete_object_tagging(**name, VersionId=first)
    equal((tags_of(client), tags_of(client, VersionId=first)), ({"n": "two"}, {}), "tags after a deletion")
    equal(body(client, Key=KEY), b"two", "the body after all of this")
    for wrong, code in (
        (tag_set(**{"a,b": "1"}), "InvalidTag"),
        (tag_set(a="v" * 257), "InvalidTag"),
        ({"TagSet": [{"Key": "a", "Value": value} for value in "12"]}, "InvalidTag"),
        (tag_set(**{"aws:a": "1"}), "InvalidTag"),
        (tag_set(**{f"k{n}": "v" for n in range(11)}), "BadRequest"),
    ):
        with refused(error, code, 400):
            client.put_object_tagging(**name, Tagging=wrong)
    equal(tags_of(client), {"n": "two"}, "tags after what was refused")
    with refused(error, "InvalidArgument", 400):
        client.put_object(Bucket=BUCKET, Key="twice", Body=b"x", Tagging="a=1&a=2")
    expect_absent(client, "twice")
    with refused(error, "NoSuchKey", 404):
        client.put_object_tagging(Bucket=BUCKET, Key="missing", Tagging=tag_set(a="b"))


def bucket_tags(client):
    error = client.exceptions.ClientError
    with refused(error, "NoSuchTagSet", 404):
        client.get_bucket_tagging(Bucket=BUCKET)
    most = {f"k{n}": f"v {n}" for n in range(50)}
    client.put_bucket_tagging(Bucket=BUCKET, Tagging=tag_set(**most))
    equal(client.get_bucket_tagging(Bucket=BUCKET)["TagSet"], tag_set(**most)["TagSet"], "tags of the bucket")
    with refused(error, "BadRequest", 400):
        client.put_bucket_tagging(Bucket=BUCKET, Tagging=tag_set(**most, more="v"))
    client.delete_bucket_tagging(Bucket=BUCKET)
    with refused(error, "NoSuchTagSet", 404):
        client.get_bucket_tagging(Bucket=BUCKET)


def composite(client, algorithm="SHA256"):
    """An upload with a checksum of its parts' checksums, and with tags."""
    name = {"Bucket": BUCKET, "Key": "composite"}
    started = client.create_multipart_upload(**name, ChecksumAlgorithm=algorithm, Tagging="made=parts")
    name["UploadId"] = started["UploadId"]
    done = []
    for number, content in enumerate(PARTS, 1):
        part = client.upload_part(**name, PartNumber=number, Body=content, ChecksumAlgorithm=algorithm)
        done.append({"PartNumber": number, "ETag": part["ETag"], f"Checksum{algorithm}": part[f"Checksum{algorithm}"]})
    return client.complete_multipart_upload(**name, MultipartUpload={"Parts": done})


def attributes(client):
    whole = composite(client)
    name = {"Bucket": BUCKET, "Key": "composite"}
    equal(tags_of(client, "composite"), {"made": "parts"}, "tags of the upload")
    every = ["ETag", "Checksum", "ObjectParts", "StorageClass", "ObjectSize"]
    found = client.get_object_attributes(**name, ObjectAttributes=every)
    equal(found["ETag"], whole["ETag"].strip('"'), "ETag, without quotes")
    # Here S3 leaves out how many parts there are.
    expected = {"ChecksumSHA256": whole["ChecksumSHA256"].removesuffix("-3"), "ChecksumType": "COMPOSITE"}
    equal(found["Checksum"], expected, "Checksum")
    equal((found["StorageClass"], found["ObjectSize"]), ("STANDARD", sum(map(len, PARTS))), "StorageClass and ObjectSize")
    equal(found["VersionId"], whole["VersionId"], "VersionId")
    sums = [base64.b64encode(hashlib.sha256(content).digest()).decode() for content in PARTS]
    expected = [
        {"PartNumber": number, "Size": len(content), "ChecksumSHA256": total}
        for number, (content, total) in enumerate(zip(PARTS, sums), 1)
    ]
    equal(found["ObjectParts"]["Parts"], expected, "the parts")
    gathered, marker = [], 0
    for number in range(1, 4):
        asked = {"MaxParts": 1, "PartNumberMarker": marker}
        page = client.get_object_attributes(**name, ObjectAttributes=["ObjectParts"], **asked)["ObjectParts"]
        gathered += page["Parts"]
        shown = {field: value for field, value in page.items() if field != "Parts"}
        place = {"PartNumberMarker": marker, "NextPartNumberMarker": number, "IsTruncated": number < 3}
        equal(shown, {"TotalPartsCount": 3, "MaxParts": 1, **place}, f"page {number} of the parts")
        marker = page["NextPartNumberMarker"]
    equal(gathered, expected, "the parts, page by page")
    with refused(client.exceptions.ClientError, "InvalidArgument", 400):
        client.get_object_attributes(**name, ObjectAttributes=["Nonsense"])
    client.put_object(**name, Body=b"after")
    old = client.get_object_attributes(**name, VersionId=whole["VersionId"], ObjectAttributes=["ObjectSize"])
    new = client.get_object_attributes(**name, ObjectAttributes=["ObjectSize", "ObjectParts"])
    equal((old["ObjectSize"], new["ObjectSize"]), (sum(map(len, PARTS)), 5), "sizes of two versions")
    check("ObjectParts" not in new, "no parts of an object that has none")


def conflicts(client):
    """A completion with a condition, when what it is about came or went since the start."""
    error = client.exceptions.ClientError
    name = {"Bucket": BUCKET, "Key": "late"}
    first = client.put_object(**name, Body=b"there at the start")
    started = client.create_multipart_upload(**name)["UploadId"]
    part = client.upload_part(**name, UploadId=started, PartNumber=1, Body=b"part")["ETag"]
    complete = {**name, "UploadId": started, "MultipartUpload": {"Parts": [{"PartNumber": 1, "ETag": part}]}}
    with refused(error, "PreconditionFailed", 412):
        client.complete_multipart_upload(**complete, IfNoneMatch="*")
    client.delete_object(**name)
    with refused(error, "ConditionalRequestConflict", 409):
        client.complete_multipart_upload(**complete, IfNoneMatch="*")
    with refused(error, "NoSuchKey", 404):
        client.complete_multipart_upload(**complete, IfMatch=first["ETag"])
    time.sleep(0.01)
    written = client.put_object(**name, Body=b"since the start")
    with refused(error, "ConditionalRequestConflict", 409):
        client.complete_multipart_upload(**complete, IfMatch=written["ETag"])
    client.complete_multipart_upload(**complete)
    equal(body(client, Key="late"), b"part", "what was completed without a condition")
    tag = f'"{md5(b"x")}"'
    client.put_object(Bucket=BUCKET, Key="same", Body=b"x")
    client.put_object(Bucket=BUCKET, Key="other", Body=b"y")
    objects = [{"Key": key, "ETag": tag} for key in ("same", "other", "missing")]
    answer = client.delete_objects(Bucket=BUCKET, Delete={"Objects": objects})
    equal([(item["Key"], item["DeleteMarker"]) for item in answer["Deleted"]], [("same", True)], "deleted, being unchanged")
    wrong = [(item["Key"], item["Code"]) for item in answer["Errors"]]
    equal(wrong, [("other", "PreconditionFailed"), ("missing", "NoSuchKey")], "not deleted")


def urls(cell, server):
    """Presigned URLs that name a version, and that bring tags, in both signature versions."""
    client = boto(server)
    name = {"Bucket": BUCKET, "Key": "url"}
    ids = [client.put_object(**name, Body=text)["VersionId"] for text in (b"one", b"two")]
    for version in (None, 4):
        signer = boto(server, version)
        for at, text in enumerate((b"one", b"two")):
            url = signer.generate_presigned_url("get_object", Params={**name, "VersionId": ids[at]})
            answer = get(cell, url, body=text)
            equal(answer.headers.get("x-amz-version-id"), ids[at], "version of a URL")
            other = get(cell, url.replace(ids[at], ids[1 - at]), status=403)
            check(b"SignatureDoesNotMatch" in other.body, "a URL of another version is another URL")
        url = signer.generate_presigned_url("get_object_tagging", Params={**name, "VersionId": ids[0]})
        check(b"<TagSet></TagSet>" in get(cell, url).body, "a URL of the tags")
        key = f"tagged by URL {version}"
        params = {"Bucket": BUCKET, "Key": key, "Tagging": "by=URL&version=any"}
        url = signer.generate_presigned_url("put_object", Params=params)
        # V4 signs the header, which is then to be sent; V2 puts it into the query.
        sent = ["--header", "x-amz-tagging: by=URL&version=any"] if version else []
        equal("x-amz-tagging=" in url, version is None, "tags in the query")
        upload(cell, url, b"x", *sent)
        equal(tags_of(client, key), {"by": "URL", "version": "any"}, "tags of what came by URL")
        if version:
            upload(cell, url, b"x", "--header", "x-amz-tagging: by=URL", status=403)
            upload(cell, url, b"x", status=403)
        url = signer.generate_presigned_url("delete_object", Params={"Bucket": BUCKET, "Key": key})
        gone = curl(cell, url, "--request", "DELETE")
        equal((gone.status, gone.headers.get("x-amz-delete-marker")), (204, "true"), "a deletion by URL")


def quota(cell):
    config = f"""
        buckets = ["{BUCKET}", "free"]
        [quotas]
        {BUCKET} = "1MiB"
        [[users]]
        id = "main"
        keys = [{{ access_key = "{ACCESS_KEY}", secret_key = "{SECRET_KEY}" }}]
    """
    client = boto(cell.serve(config=config, store="quota", buckets=()))
    error = client.exceptions.ClientError
    client.put_object(Bucket=BUCKET, Key="a", Body=noise(900_000))
    for call in (
        lambda: client.put_object(Bucket=BUCKET, Key="b", Body=noise(200_000)),
        lambda: client.put_object(Bucket=BUCKET, Key="b", Body=noise(2 * MIB)),
        lambda: client.copy_object(Bucket=BUCKET, Key="b", CopySource={"Bucket": BUCKET, "Key": "a"}),
    ):
        with refused(error, "QuotaExceeded", 403):
            call()
    expect_absent(client, "b")
    # Its record counts, too.
    with refused(error, "QuotaExceeded", 403):
        client.put_object(Bucket=BUCKET, Key="a", Body=noise(MIB))
    client.put_object(Bucket=BUCKET, Key="a", Body=noise(MIB - 1024))
    client.put_object(Bucket="free", Key="b", Body=noise(2 * MIB))
    client.delete_object(Bucket=BUCKET, Key="a")
    client.put_object(Bucket=BUCKET, Key="b", Body=noise(MIB - 1024))


# ---- other SDKs ----------------------------------------------------------------------------------------------------


@flow("versions", "js")
def versions_js(cell):
    node(cell, cell.serve(), "versions")


@flow("versions", "minio")
def versions_minio(cell):
    client = minio_client(cell.serve())
    client.set_bucket_versioning(BUCKET, VersioningConfig(ENABLED))
    equal(client.get_bucket_versioning(BUCKET).status, ENABLED, "versioning")
    one, two = (
        client.put_object(BUCKET, KEY, io.BytesIO(text), len(text), tags=minio_tags(n=text.decode())).version_id
        for text in (b"one", b"two")
    )
    equal(client.get_object(BUCKET, KEY, version_id=one).read(), b"one", "a version")
    equal(client.stat_object(BUCKET, KEY).version_id, two, "the current version")
    client.remove_object(BUCKET, KEY)
    try:
        client.get_object(BUCKET, KEY)
    except S3Error as error:
        equal(error.code, "NoSuchKey", "error code")
    else:
        check(False, "what is deleted is not there")
    found = list(client.list_objects(BUCKET, KEY, include_version=True))
    equal([item.version_id for item in found if not item.is_delete_marker], [two, one], "versions in list_objects")
    hidden = [item for item in found if item.is_delete_marker]
    equal([(item.object_name, item.is_latest) for item in hidden], [(KEY, "true")], "markers in list_objects")
    client.remove_object(BUCKET, KEY, version_id=hidden[0].version_id)
    equal(dict(client.get_object_tags(BUCKET, KEY)), {"n": "two"}, "tags")
    equal(dict(client.get_object_tags(BUCKET, KEY, version_id=one)), {"n": "one"}, "tags of a version")
    client.set_object_tags(BUCKET, KEY, minio_tags(a="b c", ü="+"), version_id=one)
    equal(dict(client.get_object_tags(BUCKET, KEY, version_id=one)), {"a": "b c", "ü": "+"}, "tags that were set")
    client.delete_object_tags(BUCKET, KEY, version_id=one)
    equal(client.get_object_tags(BUCKET, KEY, version_id=one), None, "tags that were deleted")
    copied = client.copy_object(
        BUCKET, "copy", CopySource(BUCKET, KEY, version_id=one), tags=minio_tags(x="y"), tagging_directive=REPLACE
    )
    equal(client.get_object(BUCKET, "copy", version_id=copied.version_id).read(), b"one", "a copy of a version")
    equal(dict(client.get_object_tags(BUCKET, "copy")), {"x": "y"}, "tags of the copy")
    client.set_bucket_tags(BUCKET, minio_tags(team="a"))
    equal(dict(client.get_bucket_tags(BUCKET)), {"team": "a"}, "tags of the bucket")
    client.delete_bucket_tags(BUCKET)
    equal(client.get_bucket_tags(BUCKET), None, "tags of the bucket after their deletion")
    client.set_bucket_versioning(BUCKET, VersioningConfig(SUSPENDED))
    client.put_object(BUCKET, KEY, io.BytesIO(b"null"), 4)
    equal(client.stat_object(BUCKET, KEY).version_id, "null", "a write while suspended")
    found = client.list_objects(BUCKET, recursive=True, include_version=True)
    doomed = [DeleteObject(item.object_name, item.version_id) for item in found]
    equal((len(doomed), list(client.remove_objects(BUCKET, doomed))), (4, []), "everything is removed")
    client.remove_bucket(BUCKET)


def minio_tags(**tags):
    made = Tags.new_object_tags()
    made.update(tags)
    return made

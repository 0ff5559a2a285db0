"""Versioning, tags and attributes, as the command-line tools see them."""

import json
import time

from clients import BUCKET, Aws, Rclone, S3cmd, boto, presigned_sign
from flows import flow
from flows.versions import KEY, enable, listed, tags_of
from harness import FAILS, MIB, check, equal, get, noise, refused, upload


@flow("versions", "aws")
def versions_aws(cell):
    server = cell.serve()
    aws, client = Aws(cell, server), boto(server)
    on = ["--bucket", BUCKET]

    def api(command, *arguments):
        output = aws("s3api", command, *on, *arguments).stdout
        return json.loads(output) if output.strip() else {}

    api("put-bucket-versioning", "--versioning-configuration", "Status=Enabled")
    equal(api("get-bucket-versioning"), {"Status": "Enabled"}, "get-bucket-versioning")
    ids = []
    for text in (b"one", b"two"):
        aws("s3", "cp", cell.file("source", text), f"s3://{BUCKET}/{KEY}")
        ids.append(client.head_object(Bucket=BUCKET, Key=KEY)["VersionId"])
    target = cell.folder / "target"
    api("get-object", "--key", KEY, "--version-id", ids[0], target)
    equal(target.read_bytes(), b"one", "get-object --version-id")
    aws("s3", "rm", f"s3://{BUCKET}/{KEY}")
    missing = aws("s3api", "get-object", *on, "--key", KEY, target, status=FAILS).stderr
    check("NoSuchKey" in missing, f"NoSuchKey in {missing}")
    versions = api("list-object-versions")
    equal([item["VersionId"] for item in versions["Versions"]], ids[::-1], "Versions of list-object-versions")
    marker = versions["DeleteMarkers"][0]["VersionId"]
    named = aws("s3api", "get-object", *on, "--key", KEY, "--version-id", marker, target, status=FAILS).stderr
    check("MethodNotAllowed" in named, f"MethodNotAllowed in {named}")
    gone = api("delete-object", "--key", KEY, "--version-id", marker)
    equal(gone, {"DeleteMarker": True, "VersionId": marker}, "delete-object")
    aws("s3", "cp", f"s3://{BUCKET}/{KEY}", target)
    equal(target.read_bytes(), b"two", "what the marker hid")
    aws_tags(aws, api, client, ids)
    page = api("list-object-versions", "--max-items", "1")
    check("NextToken" in page, f"NextToken in {page}")
    objects = [
        {"Key": item["Key"], "VersionId": item["VersionId"]}
        for kind in ("Versions", "DeleteMarkers") for item in api("list-object-versions").get(kind, [])
    ]
    equal(len(api("delete-objects", "--delete", json.dumps({"Objects": objects}))["Deleted"]), len(objects), "delete-objects")
    aws("s3", "rb", f"s3://{BUCKET}")


def aws_tags(aws, api, client, ids):
    """Tags and attributes; `aws s3 cp` takes tags along if it copies in one go: in parts, this edition asks for none."""
    api("put-object-tagging", "--key", KEY, "--version-id", ids[0], "--tagging", "TagSet=[{Key=n,Value=one}]")
    found = api("get-object-tagging", "--key", KEY, "--version-id", ids[0])
    equal(found, {"VersionId": ids[0], "TagSet": [{"Key": "n", "Value": "one"}]}, "get-object-tagging")
    equal(tags_of(client), {}, "tags of the current version")
    api("delete-object-tagging", "--key", KEY, "--version-id", ids[0])
    equal(tags_of(client, VersionId=ids[0]), {}, "tags after delete-object-tagging")
    for name, size, kept in (("small", 1000, {"kind": "copied", "size": "any"}), ("large", 12 * MIB, {})):
        client.put_object(Bucket=BUCKET, Key=name, Body=noise(size), Tagging="kind=copied&size=any")
        aws("s3", "cp", f"s3://{BUCKET}/{name}", f"s3://{BUCKET}/copy-{name}")
        equal(tags_of(client, f"copy-{name}"), kept, f"tags after cp of {name}")
    shown = api("get-object-attributes", "--key", "copy-large", "--object-attributes", "ObjectSize", "ObjectParts")
    equal(shown["ObjectSize"], 12 * MIB, "ObjectSize")
    check(shown["ObjectParts"]["TotalPartsCount"] >= 2, f"parts of the copy: {shown}")
    api("put-bucket-tagging", "--tagging", "TagSet=[{Key=team,Value=a b}]")
    equal(api("get-bucket-tagging")["TagSet"], [{"Key": "team", "Value": "a b"}], "get-bucket-tagging")
    api("delete-bucket-tagging")
    gone = aws("s3api", "get-bucket-tagging", "--bucket", BUCKET, status=FAILS).stderr
    check("NoSuchTagSet" in gone, f"NoSuchTagSet in {gone}")


@flow("versions", "rclone")
def versions_rclone(cell):
    """Old versions among the files, the past as it was, and both cleaned up."""
    server = cell.serve()
    rclone, client = Rclone(cell, server), boto(server)
    check("Unversioned" in rclone("backend", "versioning", f"s3:{BUCKET}").stdout, "versioning at first")
    equal(json.loads(rclone("backend", "versioning", f"s3:{BUCKET}", "Enabled").stdout), "Enabled", "versioning")
    source, then = cell.file("source", b"one"), None
    for text in (b"one", b"two!"):
        source.write_bytes(text)
        rclone("copyto", source, f"s3:{BUCKET}/dir/file.txt")
        # Its times are those of whole seconds.
        time.sleep(1.1)
        then = then or time.strftime("%Y-%m-%d %H:%M:%S", time.gmtime())
        time.sleep(1.1)
    rclone("deletefile", f"s3:{BUCKET}/dir/file.txt")
    plain = ["lsf", "--recursive", "--files-only", "--format", "s", f"s3:{BUCKET}"]
    equal(rclone(*plain).stdout, "", "files at last")
    old = rclone("--s3-versions", *plain).stdout
    equal(sorted(old.split()), ["3", "4"], "sizes of the old versions")
    names = rclone("--s3-versions", "lsf", "--recursive", "--files-only", f"s3:{BUCKET}").stdout.splitlines()
    check(all(name.startswith("dir/file-v20") and name.endswith(".txt") for name in names), f"names of versions: {names}")
    bodies = {rclone("--s3-versions", "cat", f"s3:{BUCKET}/{name}").stdout for name in names}
    equal(bodies, {"one", "two!"}, "the old versions")
    equal(rclone("--s3-version-at", then, "cat", f"s3:{BUCKET}/dir/file.txt").stdout, "one", "the past")
    rclone("copyto", source, f"s3:{BUCKET}/kept")
    rclone("copyto", cell.file("other", b"kept"), f"s3:{BUCKET}/kept")
    rclone("backend", "cleanup-hidden", f"s3:{BUCKET}")
    versions, hidden, _ = listed(client)
    equal(([key for key, _, latest in versions if latest], len(versions), hidden), (["kept"], 1, []), "after cleanup-hidden")
    client.create_multipart_upload(Bucket=BUCKET, Key="open")
    rclone("backend", "cleanup", "-o", "max-age=0s", f"s3:{BUCKET}")
    equal(client.list_multipart_uploads(Bucket=BUCKET).get("Uploads", []), [], "open uploads after cleanup")
    equal(json.loads(rclone("backend", "versioning", f"s3:{BUCKET}", "Suspended").stdout), "Suspended", "versioning at last")


@flow("versions", "s3cmd")
def versions_s3cmd(cell):
    server = cell.serve()
    s3cmd, client = S3cmd(cell, server), boto(server)
    bucket, place = f"s3://{BUCKET}", f"s3://{BUCKET}/{KEY}"
    for word, status in (("enable", "Enabled"), ("disable", "Suspended"), ("enable", "Enabled")):
        s3cmd("setversioning", bucket, word)
        equal(client.get_bucket_versioning(Bucket=BUCKET)["Status"], status, f"versioning after {word}")
    for text in (b"one", b"two"):
        s3cmd("put", cell.file("source", text), place)
    for target, kind in ((place, "object"), (bucket, "bucket")):
        s3cmd("settagging", target, "team=a b&empty=")
        shown = s3cmd("gettagging", target).stdout
        check(f"({kind})" in shown and "\tteam:\ta b\n" in shown, f"tags of the {kind} in {shown}")
        s3cmd("deltagging", target)
    equal(tags_of(client), {}, "tags after deltagging")
    with refused(client.exceptions.ClientError, "NoSuchTagSet", 404):
        client.get_bucket_tagging(Bucket=BUCKET)
    wrong = s3cmd("settagging", place, "a*=1", status=FAILS).stderr
    check("InvalidTag" in wrong, f"InvalidTag in {wrong}")
    s3cmd("del", place)
    equal(s3cmd("ls", "--recursive", bucket).stdout, "", "the listing after del")
    check("404" in s3cmd("info", place, status=FAILS).stderr, "info of what is deleted")
    versions, hidden, _ = listed(client)
    equal((len(versions), [item[2] for item in hidden]), (2, [True]), "versions and markers after del")
    check("BucketNotEmpty" in s3cmd("rb", bucket, status=FAILS).stderr, "rb of a bucket with versions")
    client.delete_object(Bucket=BUCKET, Key=KEY, VersionId=hidden[0][1])
    s3cmd("get", "--force", place, cell.folder / "target")
    equal((cell.folder / "target").read_bytes(), b"two", "what the marker hid")


@flow("versions", "presigned")
def versions_presigned(cell):
    """URLs of `presigned sign` that name a version or bring tags, fetched with curl."""
    server = cell.serve()
    client = boto(server)
    enable(client)
    ids = [client.put_object(Bucket=BUCKET, Key="k", Body=text)["VersionId"] for text in (b"one", b"two")]
    for how in ([], ["--v2"]):
        for version, text in zip(ids, (b"one", b"two")):
            command = ["get", f"s3://{BUCKET}/k", "--query", f"versionId={version}", *how]
            answer = get(cell, presigned_sign(cell, server, *command).stdout.strip(), body=text)
            equal(answer.headers.get("x-amz-version-id"), version, "version of the answer")
        command[0] = "put"
        refusal = presigned_sign(cell, server, *command, status=FAILS).stderr
        check("This operation does not accept a version-id." in refusal, f"what `sign` says of it: {refusal}")
        command = ["put", f"s3://{BUCKET}/t", "--query", "x-amz-tagging=a=1&b=2", *how]
        upload(cell, presigned_sign(cell, server, *command).stdout.strip(), b"x")
        equal(tags_of(client, "t"), {"a": "1", "b": "2"}, "tags of the query")
        client.delete_object(Bucket=BUCKET, Key="t")
    equal(client.get_object(Bucket=BUCKET, Key="k")["VersionId"], ids[1], "the current version")

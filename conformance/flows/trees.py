"""Trees of awkward names and large files: copied there and back, listed, synchronised, moved and removed."""

import io
import shutil
from concurrent.futures import ThreadPoolExecutor

from minio.commonconfig import ComposeSource, CopySource
from minio.deleteobjects import DeleteObject

from clients import BUCKET, Aws, Rclone, S3cmd, boto, ibm, minio_client, node
from flows import flow
from harness import (
    AWKWARD_NAMES, MIB, awkward_content, check, equal, expect_absent, md5, noise, read_tree, refused, sha256, write_tree,
)

#: Keys that are no paths of a file system.
AWKWARD_KEYS = ["double//slash", "/leading", "trailing/", "dots/../up", "./here", "a\ttab", "k" * 1024, "&amp;<x>", "\u202eright"]


def keys_in(server, prefix=""):
    pages = boto(server).get_paginator("list_objects_v2").paginate(Bucket=BUCKET, Prefix=prefix)
    return sorted(item["Key"] for page in pages for item in page.get("Contents", []))


def expect_keys(server, names, prefix=""):
    equal(keys_in(server, prefix), sorted(prefix + name for name in names), f"keys under {prefix!r}")


@flow("trees", "aws")
def trees_aws(cell):
    server = cell.serve()
    aws, tree = Aws(cell, server), write_tree(cell.folder / "tree")
    expected = read_tree(tree)
    equal(len(expected), len(AWKWARD_NAMES), "files in the tree")
    aws("s3", "cp", "--recursive", "--only-show-errors", tree, f"s3://{BUCKET}/tree")
    expect_keys(server, AWKWARD_NAMES, "tree/")
    listed = aws("s3", "ls", "--recursive", "--page-size", "4", f"s3://{BUCKET}/tree/").stdout
    found = {tuple(line.split(maxsplit=3)[2:]) for line in listed.splitlines()}
    equal(found, {(str(len(awkward_content(n))), f"tree/{n}") for n in AWKWARD_NAMES}, "`aws s3 ls --recursive`")
    for number, command in enumerate(("cp --recursive", "sync")):
        back = cell.folder / f"back-{number}"
        aws("s3", *command.split(), "--only-show-errors", f"s3://{BUCKET}/tree", back)
        equal(read_tree(back), expected, f"the tree that came back with {command}")
    equal(aws("s3", "sync", tree, f"s3://{BUCKET}/tree").stdout, "", "a second sync has nothing to do")
    (tree / "50%.txt").unlink()
    (tree / "plain.txt").write_bytes(b"changed, and of another size")
    aws("s3", "sync", "--delete", "--only-show-errors", tree, f"s3://{BUCKET}/tree")
    expect_keys(server, [name for name in AWKWARD_NAMES if name != "50%.txt"], "tree/")
    aws("s3", "sync", "--delete", "--only-show-errors", f"s3://{BUCKET}/tree", cell.folder / "back-1")
    equal(read_tree(cell.folder / "back-1"), read_tree(tree), "the tree after a change and sync --delete")
    aws("s3", "mv", "--recursive", "--only-show-errors", f"s3://{BUCKET}/tree/", f"s3://{BUCKET}/moved +é/")
    expect_keys(server, [], "tree/")
    expect_keys(server, read_tree(tree), "moved +é/")
    aws("s3", "rm", "--recursive", "--only-show-errors", f"s3://{BUCKET}/moved +é/")
    expect_keys(server, [])
    for key in ("double//slash", "a+b c%20é"):
        source = cell.file("one", f"content of {key}".encode())
        aws("s3api", "put-object", "--bucket", BUCKET, "--key", key, "--body", source)
        aws("s3api", "get-object", "--bucket", BUCKET, "--key", key, cell.folder / "one.back")
        equal((cell.folder / "one.back").read_bytes(), source.read_bytes(), f"{key} after put-object and get-object")
    expect_keys(server, ["double//slash", "a+b c%20é"])

    big = cell.file("big", noise(200 * MIB))
    aws("s3", "cp", "--only-show-errors", big, f"s3://{BUCKET}/big")
    check(boto(server).head_object(Bucket=BUCKET, Key="big")["ETag"].endswith('-25"'), "200 MiB went in parts of 8 MiB")
    aws("s3", "cp", "--only-show-errors", f"s3://{BUCKET}/big", f"s3://{BUCKET}/big copy")
    aws("s3", "mv", "--only-show-errors", f"s3://{BUCKET}/big copy", cell.folder / "big.back")
    equal(sha256(cell.folder / "big.back"), sha256(big), "200 MiB there, copied, and back")
    expect_absent(boto(server), "big copy")


@flow("trees", "rclone")
def trees_rclone(cell):
    server = cell.serve()
    rclone, tree = Rclone(cell, server, UPLOAD_CUTOFF="16M", CHUNK_SIZE="8M"), write_tree(cell.folder / "tree")
    (tree / "big").write_bytes(noise(100 * MIB))
    names = [*AWKWARD_NAMES, "big"]
    remote = f"s3:{BUCKET}/tree"
    rclone("copy", tree, remote)
    expect_keys(server, names, "tree/")
    listed = rclone("lsf", "--recursive", "--files-only", "--format", "sp", remote).stdout
    sizes = {f"{(tree / name).stat().st_size};{name}" for name in names}
    equal(set(listed.splitlines()), sizes, "`rclone lsf`")
    for extra in ([], ["--download"]):
        report = rclone("check", *extra, tree, remote).stderr
        check("0 differences found" in report, f"`rclone check`: {report}")
    rclone("copy", remote, cell.folder / "back")
    equal(read_tree(cell.folder / "back"), read_tree(tree), "the tree that came back")
    (tree / "50%.txt").unlink()
    (tree / "plain.txt").write_bytes(b"changed")
    rclone("sync", tree, remote)
    expect_keys(server, [name for name in names if name != "50%.txt"], "tree/")
    rclone("sync", remote, cell.folder / "back")
    equal(read_tree(cell.folder / "back"), read_tree(tree), "the tree after a change and sync")
    rclone("copy", remote, f"s3:{BUCKET}/copy +é")
    check("0 differences found" in rclone("check", remote, f"s3:{BUCKET}/copy +é").stderr, "a copy on the server")
    rclone("delete", remote)
    expect_keys(server, [], "tree/")
    rclone("purge", f"s3:{BUCKET}/copy +é")
    expect_keys(server, [])
    rclone("purge", f"s3:{BUCKET}")
    check(BUCKET not in rclone("lsd", "s3:").stdout, "no bucket after purge")


@flow("trees", "s3cmd")
def trees_s3cmd(cell):
    server = cell.serve()
    s3cmd, tree = S3cmd(cell, server), write_tree(cell.folder / "tree")
    (tree / "big").write_bytes(noise(40 * MIB))
    names = [*AWKWARD_NAMES, "big"]
    s3cmd("sync", f"{tree}/", f"s3://{BUCKET}/tree/")
    expect_keys(server, names, "tree/")
    s3cmd("sync", f"s3://{BUCKET}/tree/", f"{cell.folder / 'back'}/")
    equal(read_tree(cell.folder / "back"), read_tree(tree), "the tree that came back")
    (tree / "50%.txt").unlink()
    (tree / "plain.txt").write_bytes(b"changed")
    s3cmd("sync", "--delete-removed", f"{tree}/", f"s3://{BUCKET}/tree/")
    expect_keys(server, [name for name in names if name != "50%.txt"], "tree/")
    s3cmd("sync", "--delete-removed", f"s3://{BUCKET}/tree/", f"{cell.folder / 'back'}/")
    equal(read_tree(cell.folder / "back"), read_tree(tree), "the tree after a change and sync")
    s3cmd("del", "--recursive", f"s3://{BUCKET}/tree/")
    expect_keys(server, [])


@flow("trees", "minio")
def trees_minio(cell):
    server = cell.serve()
    client = minio_client(server)
    # minio refuses "." and ".." as parts of a key by itself.
    keys = [*AWKWARD_NAMES, *(key for key in AWKWARD_KEYS if not {".", ".."} & set(key.split("/")))]
    for key in keys:
        content = awkward_content(key)
        client.put_object(BUCKET, key, io.BytesIO(content), len(content), metadata={"colour": "blue"})
        found = client.stat_object(BUCKET, key)
        equal((found.size, found.etag), (len(content), md5(content)), f"stat of {key!r}")
        equal(found.metadata["x-amz-meta-colour"], "blue", f"metadata of {key!r}")
        equal(client.get_object(BUCKET, key).read(), content, f"content of {key!r}")
    listed = [item.object_name for item in client.list_objects(BUCKET, recursive=True)]
    equal(listed, sorted(keys, key=str.encode), "list_objects, in order of bytes")
    top = [item.object_name for item in client.list_objects(BUCKET, prefix="directory/")]
    equal(top, ["directory/deeper still/"], "list_objects of one level")
    client.copy_object(BUCKET, "copy + é", CopySource(BUCKET, "with space.txt"))
    equal(client.get_object(BUCKET, "copy + é").read(), awkward_content("with space.txt"), "the copy")
    first, second = noise(5 * MIB), noise(17 * MIB, seed=2)
    client.put_object(BUCKET, "first", io.BytesIO(first), len(first))
    client.put_object(BUCKET, "second", io.BytesIO(second), -1, part_size=5 * MIB)
    check(client.stat_object(BUCKET, "second").etag.endswith("-4"), "a stream of unknown length went in parts of 5 MiB")
    client.compose_object(BUCKET, "both", [ComposeSource(BUCKET, "first"), ComposeSource(BUCKET, "second")])
    equal(md5(client.get_object(BUCKET, "both").read()), md5(first + second), "compose_object")
    everything = [DeleteObject(item.object_name) for item in client.list_objects(BUCKET, recursive=True)]
    equal(len(everything), len(keys) + 4, "objects to remove")
    equal(list(client.remove_objects(BUCKET, everything)), [], "errors of remove_objects")
    expect_keys(server, [])
    client.remove_bucket(BUCKET)
    check(not client.bucket_exists(BUCKET), "no bucket after remove_bucket")


@flow("trees", "boto3", "ibm")
def trees_python(cell):
    server = cell.serve()
    client = {"boto3": boto, "ibm": ibm}[cell.client](server)
    keys = AWKWARD_NAMES + AWKWARD_KEYS
    for key in keys:
        content = awkward_content(key)
        client.put_object(Bucket=BUCKET, Key=key, Body=content)
        equal(client.get_object(Bucket=BUCKET, Key=key)["Body"].read(), content, f"content of {key!r}")
    with refused(client.exceptions.ClientError, "KeyTooLongError", 400):
        client.put_object(Bucket=BUCKET, Key="k" * 1025, Body=b"")
    listings(client, keys)

    big = cell.file("big", noise(200 * MIB if cell.client == "boto3" else 24 * MIB))
    client.upload_file(str(big), BUCKET, "big", ExtraArgs={"ContentType": "video/mp4"})
    client.copy({"Bucket": BUCKET, "Key": "big"}, BUCKET, "big copy +é")
    client.download_file(BUCKET, "big copy +é", str(cell.folder / "back"))
    equal(sha256(cell.folder / "back"), sha256(big), "upload_file, copy and download_file")
    if cell.client == "boto3":  # The IBM edition leaves the type behind when it copies in parts.
        equal(client.head_object(Bucket=BUCKET, Key="big copy +é")["ContentType"], "video/mp4", "Content-Type of the copy")

    # More than one page, and more than one DeleteObjects.
    with ThreadPoolExecutor(4) as pool:
        list(pool.map(lambda n: client.put_object(Bucket=BUCKET, Key=f"many/{n:04}", Body=b"x"), range(1005)))
    equal(client.list_objects_v2(Bucket=BUCKET, Prefix="many/")["KeyCount"], 1000, "keys on a page")
    expect_keys(server, [f"{n:04}" for n in range(1005)], "many/")
    left = keys_in(server)
    while left:
        objects = [{"Key": key} for key in left[:1000]]
        answer = client.delete_objects(Bucket=BUCKET, Delete={"Objects": objects})
        equal(sorted(item["Key"] for item in answer["Deleted"]), left[:1000], "Deleted")
        check("Errors" not in answer, f"no Errors in {clip_errors(answer)}")
        left = left[1000:]
    expect_keys(server, [])


def clip_errors(answer):
    return answer.get("Errors", [])[:3]


def listings(client, keys):
    """Both listings, in pages of three, with and without a delimiter, agree with what the keys say."""
    in_order = sorted(keys, key=str.encode)
    tops = list(dict.fromkeys(key.partition("/")[0] + "/" for key in in_order if "/" in key))
    plain = [key for key in in_order if "/" not in key]
    for operation in ("list_objects", "list_objects_v2", "list_object_versions"):
        pages = client.get_paginator(operation).paginate(Bucket=BUCKET, PaginationConfig={"PageSize": 3})
        rows = "Versions" if operation == "list_object_versions" else "Contents"
        found = [item["Key"] for page in pages for item in page.get(rows, [])]
        equal(found, in_order, f"keys of {operation} in pages of three")
        pages = client.get_paginator(operation).paginate(Bucket=BUCKET, Delimiter="/", PaginationConfig={"PageSize": 3})
        pages = list(pages)
        equal([item["Key"] for page in pages for item in page.get(rows, [])], plain, f"keys of {operation} at the top")
        prefixes = [item["Prefix"] for page in pages for item in page.get("CommonPrefixes", [])]
        equal(prefixes, tops, f"common prefixes of {operation}")
    after = client.list_objects_v2(Bucket=BUCKET, StartAfter=in_order[4], MaxKeys=2, FetchOwner=True)
    equal([item["Key"] for item in after["Contents"]], in_order[5:7], "keys after the fifth")
    check(all(item["Owner"]["ID"] for item in after["Contents"]), "owners")
    equal((after["KeyCount"], after["IsTruncated"]), (2, True), "KeyCount and IsTruncated")


@flow("trees", "js")
def trees_js(cell):
    server = cell.serve()
    big = cell.file("big", noise(40 * MIB))
    tree = write_tree(cell.folder / "tree")
    contents = {name: str(tree / name) for name in AWKWARD_NAMES}
    node(cell, server, "trees", big=str(big), contents=contents, keys=AWKWARD_KEYS)
    equal(sha256(cell.folder / "big.back"), sha256(big), "a stream of 40 MiB through Upload and back")
    shutil.rmtree(tree)

"""The command-line tools as their manuals show them: make a bucket, put, list, get, copy, delete, remove the bucket."""

from clients import BUCKET, Aws, Rclone, S3cmd, boto
from flows import flow
from harness import FAILS, MIB, check, curl, equal, get, noise, sha256


def both(cell, size):
    source, target = cell.file("source.bin", noise(size)), cell.folder / "target.bin"
    target.unlink(missing_ok=True)
    return source, target


@flow("commands", "s3cmd")
def commands_s3cmd(cell, server=None):
    server = server or cell.serve()
    s3cmd = S3cmd(cell, server)
    s3cmd("mb", "s3://made-by-s3cmd")
    check("s3://made-by-s3cmd" in s3cmd("ls").stdout, "the bucket in `s3cmd ls`")
    # 20 MiB goes in two parts; 100 kB in one piece.
    for name, size in (("small.bin", 100_000), ("large +é.bin", 20 * MIB), ("empty", 0)):
        source, target = both(cell, size)
        place = f"s3://made-by-s3cmd/dir/{name}"
        s3cmd("put", source, place)
        listed = s3cmd("ls", "s3://made-by-s3cmd/dir/").stdout
        check(any(line.split()[2] == str(size) and line.endswith(place) for line in listed.splitlines()), f"{place} in {listed}")
        s3cmd("get", place, target)
        equal(sha256(target), sha256(source), f"{name} after put and get")
        check(f"File size: {size}" in s3cmd("info", place).stdout, f"`s3cmd info` of {name}")
        get(cell, s3cmd("signurl", place, "+600").stdout.strip(), body=source.read_bytes(), server=server)
    s3cmd("cp", "s3://made-by-s3cmd/dir/small.bin", "s3://made-by-s3cmd/copy.bin")
    s3cmd("mv", "s3://made-by-s3cmd/copy.bin", "s3://made-by-s3cmd/moved.bin")
    listed = s3cmd("ls", "--recursive", "s3://made-by-s3cmd").stdout
    equal(len(listed.splitlines()), 4, f"lines of `s3cmd ls --recursive`: {listed}")
    check("BucketNotEmpty" in s3cmd("rb", "s3://made-by-s3cmd", status=FAILS).stderr, "rb of a bucket that is not empty")
    s3cmd("del", "s3://made-by-s3cmd/moved.bin")
    s3cmd("del", "--recursive", "--force", "s3://made-by-s3cmd")
    equal(s3cmd("ls", "--recursive", "s3://made-by-s3cmd").stdout, "", "the listing after del")
    s3cmd("rb", "s3://made-by-s3cmd")
    check("made-by-s3cmd" not in s3cmd("ls").stdout, "no bucket after rb")
    check("NoSuchBucket" in s3cmd("ls", "s3://made-by-s3cmd", status=FAILS).stderr, "ls of what was removed")


@flow("commands", "aws")
def commands_aws(cell, server=None):
    server = server or cell.serve()
    aws = Aws(cell, server)
    source, target = both(cell, 100_000)
    aws("s3", "mb", "s3://made-by-aws")
    check(aws("s3", "ls").stdout.splitlines()[-1].endswith(" made-by-aws"), "the bucket in `aws s3 ls`")
    aws("s3", "cp", source, "s3://made-by-aws/dir/key +é.bin", "--content-type", "text/x-a", "--metadata", "colour=blue")
    listed = aws("s3", "ls", "s3://made-by-aws/dir/").stdout
    equal(listed.split(maxsplit=2)[2].strip(), "100000 key +é.bin", "`aws s3 ls`")
    equal(aws("s3", "ls", "s3://made-by-aws/").stdout.split(), ["PRE", "dir/"], "`aws s3 ls` of the top")
    head = aws("s3api", "head-object", "--bucket", "made-by-aws", "--key", "dir/key +é.bin").stdout
    check('"ContentType": "text/x-a"' in head and '"colour": "blue"' in head, f"type and metadata in {head}")
    aws("s3", "cp", "s3://made-by-aws/dir/key +é.bin", target)
    equal(sha256(target), sha256(source), "the file after cp there and back")
    aws("s3", "cp", "s3://made-by-aws/dir/key +é.bin", "s3://made-by-aws/copy")
    aws("s3", "mv", "s3://made-by-aws/copy", f"s3://{BUCKET}/moved")
    equal(boto(server).head_object(Bucket=BUCKET, Key="moved")["Metadata"], {"colour": "blue"}, "metadata after cp and mv")
    check("BucketNotEmpty" in aws("s3", "rb", "s3://made-by-aws", status=FAILS).stderr, "rb of a bucket that is not empty")
    aws("s3", "rm", "s3://made-by-aws/dir/key +é.bin")
    check("404" in aws("s3", "cp", "s3://made-by-aws/dir/key +é.bin", target, status=FAILS).stderr, "cp of what was removed")
    aws("s3", "rb", "s3://made-by-aws")
    check("NoSuchBucket" in aws("s3", "ls", "s3://made-by-aws", status=FAILS).stderr, "ls of what was removed")
    aws("s3", "mb", "s3://made-by-aws")
    aws("s3", "cp", source, "s3://made-by-aws/key")
    aws("s3", "rb", "--force", "s3://made-by-aws")
    missing = get(cell, aws("s3", "presign", f"s3://{BUCKET}/moved").stdout.strip(), server=server)
    equal(missing.body, source.read_bytes(), "the moved object through its URL")


@flow("commands", "rclone")
def commands_rclone(cell, server=None):
    server = server or cell.serve()
    rclone = Rclone(cell, server)
    source, target = both(cell, 100_000)
    rclone("mkdir", "s3:made-by-rclone")
    check("made-by-rclone" in rclone("lsd", "s3:").stdout, "the bucket in `rclone lsd`")
    rclone("copyto", source, "s3:made-by-rclone/dir/key +é.bin")
    equal(rclone("lsf", "--recursive", "--files-only", "s3:made-by-rclone").stdout, "dir/key +é.bin\n", "`rclone lsf`")
    rclone("copyto", "s3:made-by-rclone/dir/key +é.bin", target)
    equal(sha256(target), sha256(source), "the file after copyto there and back")
    rclone("moveto", "s3:made-by-rclone/dir/key +é.bin", "s3:made-by-rclone/moved")
    check(sha256(source) in rclone("hashsum", "sha256", "--download", "s3:made-by-rclone").stdout, "`rclone hashsum`")
    url = rclone("link", "s3:made-by-rclone/moved").stdout.strip()
    get(cell, url, body=source.read_bytes(), server=server)
    check("BucketNotEmpty" in rclone("rmdir", "s3:made-by-rclone", status=FAILS).stderr, "rmdir of a bucket that is not empty")
    rclone("deletefile", "s3:made-by-rclone/moved")
    equal(curl(cell, url, server=server).status, 404, "status of the link after deletefile")
    rclone("rmdir", "s3:made-by-rclone")
    check("made-by-rclone" not in rclone("lsd", "s3:").stdout, "no bucket after rmdir")

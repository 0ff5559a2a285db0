"""samtools, whose library looks for the names of headers to the letter, and loses objects without a word."""

from clients import BUCKET, boto
from flows import flow
from harness import ACCESS_KEY, MIB, REGION, SECRET_KEY, check, clean_environment, equal, noise, run_command

READS = 60_000


def alignment(reads):
    """A SAM file with this many reads; their names do not compress well."""
    names = noise(reads * 24, seed=21).hex()
    lines = ["@HD\tVN:1.6\tSO:unsorted", "@SQ\tSN:one\tLN:1000000"]
    bases, qualities = "ACGT" * 25, "I" * 100
    for number in range(reads):
        name = names[number * 48 : number * 48 + 48]
        lines.append(f"{name}\t0\tone\t{number + 1}\t60\t100M\t*\t0\t0\t{bases}\t{qualities}")
    return "\n".join(lines) + "\n"


@flow("genomics", "samtools")
def genomics(cell):
    server = cell.serve()
    client = boto(server)
    environment = clean_environment(
        cell,
        AWS_ACCESS_KEY_ID=ACCESS_KEY,
        AWS_SECRET_ACCESS_KEY=SECRET_KEY,
        AWS_DEFAULT_REGION=REGION,
        HTS_S3_HOST=f"127.0.0.1:{server.port}",
        HTS_S3_ADDRESS_STYLE="path",
    )
    # One part, and several: the library uploads in parts of 5 MiB or more, whatever the size.
    for key, reads in (("small.bam", 10), ("large.bam", READS * 8)):
        sam = cell.file(f"{key}.sam", alignment(reads).encode())
        url = f"s3+http://{BUCKET}/{key}"
        run_command(["samtools", "view", "--no-PG", "-b", "-o", url, sam], environment)
        found = {item["Key"]: item["Size"] for item in client.list_objects_v2(Bucket=BUCKET).get("Contents", [])}
        check(key in found, f"samtools said that it wrote {key}, and it is not there: {found}")
        check(key == "small.bam" or found[key] > 10 * MIB, f"{key} takes several parts, not {found[key]} bytes")
        back = run_command(["samtools", "view", "--no-PG", "-h", url], environment)
        equal(back.stdout == sam.read_text(), True, f"what samtools reads back of {key}")
        body = client.get_object(Bucket=BUCKET, Key=key)["Body"].read()
        local = cell.file(f"{key}.local")
        run_command(["samtools", "view", "--no-PG", "-b", "-o", local, sam], environment)
        equal(body == local.read_bytes(), True, f"the bytes of {key}, beside those of a local file")
        check(not client.list_multipart_uploads(Bucket=BUCKET).get("Uploads"), "no upload is left")

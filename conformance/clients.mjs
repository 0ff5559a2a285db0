// The JavaScript clients: @aws-sdk/client-s3, s3-request-presigner and lib-storage. One flow per run, named in the
// settings (JSON, first argument). The last line printed is JSON: the number of checks made, or the URL asked for.

import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import { createReadStream, createWriteStream, readFileSync } from "node:fs";
import http from "node:http";
import https from "node:https";
import { createRequire } from "node:module";
import { Readable } from "node:stream";
import { pipeline } from "node:stream/promises";

const require = createRequire(process.env.CLIENT_PACKAGES);
const s3 = require("@aws-sdk/client-s3");
const { getSignedUrl } = require("@aws-sdk/s3-request-presigner");
const { Upload } = require("@aws-sdk/lib-storage");

const settings = JSON.parse(process.argv[2]);
const Bucket = settings.bucket;
const MIB = 1 << 20;

let checks = 0;
function equal(actual, expected, what) {
  checks += 1;
  assert.deepEqual(actual, expected, `${what}: expected ${JSON.stringify(expected)}, got ${JSON.stringify(actual)}`);
}

async function refused(promise, name, status) {
  const error = await promise.then(() => null, (error) => error);
  equal([error?.name, error?.$metadata?.httpStatusCode], [name, status], "refusal");
}

const md5 = (data) => createHash("md5").update(data).digest("hex");
const noise = (size) => Buffer.from(Uint8Array.from({ length: size }, (_, at) => Math.imul(at, 2654435761) >>> 13));

// Every name under localhost is this machine; not every resolver knows that.
const lookup = (host, options, done) =>
  options.all ? done(null, [{ address: "127.0.0.1", family: 4 }]) : done(null, "127.0.0.1", 4);

function client(more = {}) {
  return new s3.S3Client({
    endpoint: settings.endpoint,
    region: settings.region,
    forcePathStyle: settings.pathStyle,
    credentials: { accessKeyId: settings.accessKeyId, secretAccessKey: settings.secretAccessKey },
    maxAttempts: 1,
    requestHandler: { httpAgent: { lookup }, httpsAgent: { lookup } },
    ...more,
  });
}

function send(method, url, { headers = {}, body } = {}) {
  const transport = url.startsWith("https:") ? https : http;
  return new Promise((resolve, reject) => {
    const request = transport.request(url, { method, headers, lookup }, (answer) => {
      const blocks = [];
      answer.on("data", (block) => blocks.push(block));
      answer.on("end", () => resolve({ status: answer.statusCode, headers: answer.headers, body: Buffer.concat(blocks) }));
      answer.on("error", reject);
    });
    request.on("error", reject);
    request.end(body);
  });
}

const bytes = async (answer) => Buffer.from(await answer.Body.transformToByteArray());

// ---- flows --------------------------------------------------------------------------------------------------------

/** A presigned URL, for the flows that run over the URLs of every client. */
async function sign() {
  const signableHeaders = settings.signable && new Set(settings.signable);
  const command = new s3[`${settings.command}Command`](settings.input);
  return { url: await getSignedUrl(client(), command, { expiresIn: settings.expires ?? 600, signableHeaders }) };
}

/** A presigned URL for each part, the ETags taken from the answers, completed by a signed request. */
async function partUrls() {
  const to = client();
  const Key = "in parts é+.bin";
  const { UploadId } = await to.send(new s3.CreateMultipartUploadCommand({ Bucket, Key, ContentType: "video/mp4" }));
  const bodies = [noise(5 * MIB), noise(5 * MIB + 7), Buffer.from("the last part")];
  const Parts = [];
  for (const [at, body] of bodies.entries()) {
    const PartNumber = at + 1;
    const url = await getSignedUrl(to, new s3.UploadPartCommand({ Bucket, Key, UploadId, PartNumber }), { expiresIn: 600 });
    const answer = await send("PUT", url, { body });
    equal([answer.status, answer.headers.etag], [200, `"${md5(body)}"`], `answer to part ${PartNumber}`);
    Parts.push({ PartNumber, ETag: answer.headers.etag });
  }
  await refused(to.send(new s3.GetObjectCommand({ Bucket, Key })), "NoSuchKey", 404);
  const done = await to.send(new s3.CompleteMultipartUploadCommand({ Bucket, Key, UploadId, MultipartUpload: { Parts } }));
  equal(done.ETag.endsWith('-3"'), true, "ETag of the whole counts its parts");
  const found = await to.send(new s3.GetObjectCommand({ Bucket, Key }));
  equal([found.ContentType, md5(await bytes(found))], ["video/mp4", md5(Buffer.concat(bodies))], "the whole");
}

/** Upload of lib-storage with awkward keys and a stream of 40 MiB; listing, copying and deleting. */
async function trees() {
  const to = client();
  const entries = Object.entries(settings.contents).map(([Key, path]) => [Key, readFileSync(path)]);
  entries.push(...settings.keys.map((Key) => [Key, Buffer.from(`content of ${Key}`)]));
  for (const [Key, Body] of entries) {
    await new Upload({ client: to, params: { Bucket, Key, Body } }).done();
    equal(md5(await bytes(await to.send(new s3.GetObjectCommand({ Bucket, Key })))), md5(Body), `content of ${Key}`);
  }
  const listed = [];
  for await (const page of s3.paginateListObjectsV2({ client: to, pageSize: 3 }, { Bucket })) {
    listed.push(...(page.Contents ?? []).map((item) => item.Key));
  }
  const inOrder = entries.map(([Key]) => Key).sort((a, b) => Buffer.compare(Buffer.from(a), Buffer.from(b)));
  equal(listed, inOrder, "keys in pages of three");

  const upload = new Upload({
    client: to, params: { Bucket, Key: "big", Body: createReadStream(settings.big) }, partSize: 5 * MIB, queueSize: 4,
  });
  let progress = 0;
  upload.on("httpUploadProgress", ({ loaded }) => (progress = Math.max(progress, loaded)));
  const done = await upload.done();
  equal([progress, done.ETag.endsWith('-8"')], [40 * MIB, true], "40 MiB in eight parts");
  await to.send(new s3.CopyObjectCommand({ Bucket, Key: "copy é+", CopySource: `${Bucket}/big` }));
  const back = await to.send(new s3.GetObjectCommand({ Bucket, Key: "copy é+" }));
  await pipeline(back.Body, createWriteStream(`${settings.folder}/big.back`));

  const Objects = [...listed, "big", "copy é+"].map((Key) => ({ Key }));
  const removed = await to.send(new s3.DeleteObjectsCommand({ Bucket, Delete: { Objects } }));
  equal([removed.Deleted.length, removed.Errors], [Objects.length, undefined], "DeleteObjects");
  equal((await to.send(new s3.ListObjectsV2Command({ Bucket }))).KeyCount, 0, "keys left");
}

/** Checksums of every algorithm, streams, wrong digests, conditions. */
async function sdk() {
  const to = client();
  let head = {};
  to.middlewareStack.add(
    (next) => (request) => {
      head = request.request.headers;
      return next(request);
    },
    { step: "finalizeRequest", priority: "low" },
  );
  const content = noise(300_000);
  const stream = () => Readable.from([content.subarray(0, 100_000), content.subarray(100_000)]);
  for (const ChecksumAlgorithm of [undefined, "CRC32", "CRC32C", "CRC64NVME", "SHA1", "SHA256"]) {
    const field = `Checksum${ChecksumAlgorithm ?? "CRC32"}`;
    for (const [kind, Body] of [["bytes", content], ["stream", stream()]]) {
      const Key = `${kind} ${ChecksumAlgorithm}`;
      const put = await to.send(new s3.PutObjectCommand({ Bucket, Key, Body, ContentLength: content.length, ChecksumAlgorithm }));
      if (kind === "stream") {
        equal(head["x-amz-content-sha256"], "STREAMING-UNSIGNED-PAYLOAD-TRAILER", "payload mode of a stream");
      }
      equal(put.ETag, `"${md5(content)}"`, `ETag of ${Key}`);
      const found = await to.send(new s3.GetObjectCommand({ Bucket, Key, ChecksumMode: "ENABLED" }));
      equal([typeof put[field], found[field]], ["string", put[field]], `${field} of ${Key}`);
      equal([md5(await bytes(found)), found.ContentEncoding], [md5(content), undefined], `content of ${Key}`);
    }
  }
  const sha256 = (data) => createHash("sha256").update(data).digest("base64");
  const wrong = { ChecksumSHA256: sha256("other") };
  await refused(to.send(new s3.PutObjectCommand({ Bucket, Key: "bad", Body: content, ...wrong })), "BadDigest", 400);
  const ContentMD5 = createHash("md5").update("other").digest("base64");
  await refused(to.send(new s3.PutObjectCommand({ Bucket, Key: "bad", Body: content, ContentMD5 })), "BadDigest", 400);
  await refused(to.send(new s3.HeadObjectCommand({ Bucket, Key: "bad" })), "NotFound", 404);

  const relaxed = client({ requestChecksumCalculation: "WHEN_REQUIRED", responseChecksumValidation: "WHEN_REQUIRED" });
  await relaxed.send(new s3.PutObjectCommand({ Bucket, Key: "relaxed", Body: content }));
  const kept = await relaxed.send(new s3.HeadObjectCommand({ Bucket, Key: "relaxed", ChecksumMode: "ENABLED" }));
  equal([typeof kept.ChecksumCRC64NVME, kept.ChecksumType], ["string", "FULL_OBJECT"], "the default checksum");
  const plain = await getSignedUrl(relaxed, new s3.GetObjectCommand({ Bucket, Key: "relaxed" }));
  equal(md5((await send("GET", plain)).body), md5(content), "a URL signed with WHEN_REQUIRED");

  // A URL made for a body holds that body's checksum, in the query, where it binds nobody; a header's does.
  const hoisted = await getSignedUrl(to, new s3.PutObjectCommand({ Bucket, Key: "hoisted" }));
  equal(hoisted.includes("x-amz-checksum-crc32=AAAAAA%3D%3D"), true, "the checksum of nothing in the URL");
  equal((await send("PUT", hoisted, { body: content })).status, 200, "status of PUT with another body");
  const header = { "x-amz-checksum-crc32": "AAAAAA==" };
  equal((await send("PUT", hoisted, { body: content, headers: header })).status, 403, "status with the checksum as a header");

  const once = { Bucket, Key: "once", Body: "x", IfNoneMatch: "*" };
  await to.send(new s3.PutObjectCommand(once));
  await refused(to.send(new s3.PutObjectCommand(once)), "PreconditionFailed", 412);
  await refused(to.send(new s3.GetObjectCommand({ Bucket, Key: "missing" })), "NoSuchKey", 404);
  await refused(to.send(new s3.DeleteBucketCommand({ Bucket })), "BucketNotEmpty", 409);
}

/** Versions and markers, tags, attributes, URLs; the bucket is emptied and removed at the end. */
async function versions() {
  const to = client();
  const name = { Bucket, Key: "dir/key é+" };
  const configure = (Status) =>
    to.send(new s3.PutBucketVersioningCommand({ Bucket, VersioningConfiguration: { Status } }));
  const text = async (input) => (await bytes(await to.send(new s3.GetObjectCommand({ ...name, ...input })))).toString();
  await to.send(new s3.PutObjectCommand({ ...name, Body: "null" }));
  equal((await to.send(new s3.GetBucketVersioningCommand({ Bucket }))).Status, undefined, "versioning at first");
  await configure("Enabled");
  equal((await to.send(new s3.GetBucketVersioningCommand({ Bucket }))).Status, "Enabled", "versioning after it was enabled");
  const ids = [];
  for (const Body of ["one", "two"]) {
    ids.push((await to.send(new s3.PutObjectCommand({ ...name, Body, Tagging: `n=${Body}&plus=a%2Bb` }))).VersionId);
  }
  const versions = [await text({}), await text({ VersionId: ids[0] }), await text({ VersionId: "null" })];
  equal(versions, ["two", "one", "null"], "the versions");
  const marker = await to.send(new s3.DeleteObjectCommand(name));
  equal(marker.DeleteMarker, true, "a deletion makes a marker");
  await refused(to.send(new s3.GetObjectCommand(name)), "NoSuchKey", 404);
  await refused(to.send(new s3.GetObjectCommand({ ...name, VersionId: marker.VersionId })), "MethodNotAllowed", 405);
  await refused(to.send(new s3.GetObjectCommand({ ...name, VersionId: "0".repeat(32) })), "NoSuchVersion", 404);
  await refused(to.send(new s3.GetObjectCommand({ ...name, VersionId: "junk" })), "InvalidArgument", 400);
  const listed = await to.send(new s3.ListObjectVersionsCommand({ Bucket }));
  const found = listed.Versions.map((item) => [item.VersionId, item.IsLatest]);
  equal(found, [ids[1], ids[0], "null"].map((id) => [id, false]), "Versions");
  equal(listed.DeleteMarkers.map((item) => [item.VersionId, item.IsLatest]), [[marker.VersionId, true]], "DeleteMarkers");
  const copied = await to.send(
    new s3.CopyObjectCommand({ ...name, CopySource: `${Bucket}/${encodeURIComponent(name.Key)}?versionId=${ids[0]}` }),
  );
  equal([copied.CopySourceVersionId, await text({})], [ids[0], "one"], "an old version, copied over the marker");

  const tagsOf = async (VersionId) => (await to.send(new s3.GetObjectTaggingCommand({ ...name, VersionId }))).TagSet;
  equal(await tagsOf(), [{ Key: "n", Value: "one" }, { Key: "plus", Value: "a+b" }], "the tags of the copy");
  const TagSet = [{ Key: "schlüssel", Value: "wert + mehr" }];
  await to.send(new s3.PutObjectTaggingCommand({ ...name, VersionId: ids[1], Tagging: { TagSet } }));
  equal([await tagsOf(ids[1]), (await tagsOf(ids[0])).length], [TagSet, 2], "tags of two versions");
  equal((await to.send(new s3.HeadObjectCommand({ ...name, VersionId: ids[1] }))).TagCount, 1, "TagCount");
  await to.send(new s3.DeleteObjectTaggingCommand({ ...name, VersionId: ids[1] }));
  equal(await tagsOf(ids[1]), [], "tags after their deletion");
  await refused(to.send(new s3.PutObjectCommand({ ...name, Body: "", Tagging: "a=1&a=2" })), "InvalidArgument", 400);
  await refused(to.send(new s3.GetBucketTaggingCommand({ Bucket })), "NoSuchTagSet", 404);
  await to.send(new s3.PutBucketTaggingCommand({ Bucket, Tagging: { TagSet } }));
  equal((await to.send(new s3.GetBucketTaggingCommand({ Bucket }))).TagSet, TagSet, "tags of the bucket");

  await attributes(to);
  await urls(to, name, ids);
  await emptied(to);
}

/** GetObjectAttributes of an upload with a checksum of its parts' checksums, page by page; and a conflict. */
async function attributes(to) {
  const name = { Bucket, Key: "parts" };
  const Body = Buffer.concat(Array.from({ length: 11 }, (_, at) => Buffer.alloc(MIB, at + 1)));
  const params = { ...name, Body, ChecksumAlgorithm: "SHA256", Tagging: "made=parts" };
  await new Upload({ client: to, params, partSize: 5 * MIB }).done();
  const ObjectAttributes = ["ObjectParts", "ObjectSize", "Checksum"];
  const ask = (more) => to.send(new s3.GetObjectAttributesCommand({ ...name, ObjectAttributes, ...more }));
  const found = await ask({ MaxParts: 2 });
  const { Parts, ...page } = found.ObjectParts;
  const sums = [0, 5, 10].map((at) => createHash("sha256").update(Body.subarray(at * MIB, (at + 5) * MIB)).digest());
  const whole = createHash("sha256").update(Buffer.concat(sums)).digest("base64");
  const { ChecksumSHA256, ChecksumType } = found.Checksum;
  equal([found.ObjectSize, ChecksumSHA256, ChecksumType], [11 * MIB, whole, "COMPOSITE"], "the whole");
  equal([page.TotalPartsCount, page.IsTruncated, page.MaxParts, page.NextPartNumberMarker], [3, true, 2, "2"], "the first page");
  const more = (await ask({ PartNumberMarker: page.NextPartNumberMarker })).ObjectParts;
  const ofParts = [...Parts, ...more.Parts].map((part) => part.ChecksumSHA256);
  equal(ofParts, sums.map((sum) => sum.toString("base64")), "the parts' checksums");
  equal((await to.send(new s3.GetObjectTaggingCommand(name))).TagSet, [{ Key: "made", Value: "parts" }], "tags of an upload");

  const late = { Bucket, Key: "late" };
  await to.send(new s3.PutObjectCommand({ ...late, Body: "there at the start" }));
  const { UploadId } = await to.send(new s3.CreateMultipartUploadCommand(late));
  const { ETag } = await to.send(new s3.UploadPartCommand({ ...late, UploadId, PartNumber: 1, Body: "part" }));
  await to.send(new s3.DeleteObjectCommand(late));
  const complete = { ...late, UploadId, IfNoneMatch: "*", MultipartUpload: { Parts: [{ PartNumber: 1, ETag }] } };
  await refused(to.send(new s3.CompleteMultipartUploadCommand(complete)), "ConditionalRequestConflict", 409);
  await to.send(new s3.AbortMultipartUploadCommand({ ...late, UploadId }));
}

/** Presigned URLs that name a version, and that bring tags. */
async function urls(to, name, ids) {
  for (const [at, VersionId] of ids.entries()) {
    const answer = await send("GET", await getSignedUrl(to, new s3.GetObjectCommand({ ...name, VersionId })));
    equal([answer.body.toString(), answer.headers["x-amz-version-id"]], [["one", "two"][at], VersionId], "a URL of a version");
  }
  const Key = "by URL";
  const url = await getSignedUrl(to, new s3.PutObjectCommand({ Bucket, Key, Tagging: "by=URL" }));
  equal([url.includes("x-amz-tagging=by%3DURL"), (await send("PUT", url, { body: "x" })).status], [true, 200], "a URL with tags");
  equal((await to.send(new s3.HeadObjectCommand({ Bucket, Key }))).TagCount, 1, "TagCount of what came by URL");
}

/** A bucket with versions emptied, page by page, and removed. */
async function emptied(to) {
  let pages = 0;
  let page = { IsTruncated: true };
  while (page.IsTruncated) {
    const after = { KeyMarker: page.NextKeyMarker, VersionIdMarker: page.NextVersionIdMarker };
    page = await to.send(new s3.ListObjectVersionsCommand({ Bucket, MaxKeys: 3, ...after }));
    const Objects = [...(page.Versions ?? []), ...(page.DeleteMarkers ?? [])].map(({ Key, VersionId }) => ({ Key, VersionId }));
    const removed = await to.send(new s3.DeleteObjectsCommand({ Bucket, Delete: { Objects } }));
    equal([removed.Deleted.length, removed.Errors], [Objects.length, undefined], "a page of versions is deleted");
    pages += 1;
  }
  equal(pages > 2, true, "several pages");
  const left = await to.send(new s3.ListObjectVersionsCommand({ Bucket }));
  equal([left.Versions, left.DeleteMarkers], [undefined, undefined], "versions left");
  await to.send(new s3.DeleteBucketCommand({ Bucket }));
}

// ---- the ten checksums --------------------------------------------------------------------------------------------

/** Those that the SDK does not compute by itself, and takes from its caller. */
const more = { SHA512: sha512, XXHASH64: wasm("xxhash64"), XXHASH3: wasm("xxhash3"), XXHASH128: wasm("xxhash128") };

async function sha512(data) {
  return createHash("sha512").update(data).digest();
}

function wasm(name) {
  return async (data) => Buffer.from(await require("hash-wasm")[name](data), "hex");
}

/** A checksum as the SDK wants it, of a function of all the data. */
function gathering(digest) {
  return class {
    pieces = [];
    update(data) {
      this.pieces.push(Buffer.from(data));
    }
    async digest() {
      return new Uint8Array(await digest(Buffer.concat(this.pieces)));
    }
    reset() {
      this.pieces = [];
    }
  };
}

async function checksums() {
  const checksumAlgorithms = Object.fromEntries(Object.entries(more).map(([name, digest]) => [name, gathering(digest)]));
  const to = client({ checksumAlgorithms });
  for (const algorithm of ["CRC32", "CRC32C", "CRC64NVME", "SHA1", "SHA256", "SHA512", "MD5", "XXHASH64", "XXHASH3", "XXHASH128"]) {
    const field = `Checksum${algorithm}`;
    // By MD5 the SDK means Content-MD5, so that a checksum of that name is given as a value.
    const sent = (data) => (algorithm === "MD5" ? { ChecksumMD5: createHash("md5").update(data).digest("base64") } : { ChecksumAlgorithm: algorithm });
    const Body = Buffer.from(`the body under ${algorithm}`);
    const put = await to.send(new s3.PutObjectCommand({ Bucket, Key: algorithm, Body, ...sent(Body) }));
    equal(Boolean(put[field]), true, `PutObject shows ${field}`);
    const head = await to.send(new s3.HeadObjectCommand({ Bucket, Key: algorithm, ChecksumMode: "ENABLED" }));
    equal([head[field], head.ChecksumType], [put[field], "FULL_OBJECT"], `HeadObject: ${field}`);
    const get = await to.send(new s3.GetObjectCommand({ Bucket, Key: algorithm, ChecksumMode: "ENABLED" }));
    equal(Buffer.from(await get.Body.transformToByteArray()).equals(Body), true, `the body, held against its ${algorithm}`);
    const other = await to.send(new s3.PutObjectCommand({ Bucket, Key: "other", Body: "other", ...sent("other") }));
    const wrong = { [field]: other[field] };
    await refused(to.send(new s3.PutObjectCommand({ Bucket, Key: "wrong", Body, ...wrong })), "BadDigest", 400);
    const Key = `parts-${algorithm}`;
    const { UploadId } = await to.send(new s3.CreateMultipartUploadCommand({ Bucket, Key, ChecksumAlgorithm: algorithm }));
    const part = await to.send(new s3.UploadPartCommand({ Bucket, Key, UploadId, PartNumber: 1, Body, ...sent(Body) }));
    const Parts = [{ PartNumber: 1, ETag: part.ETag, [field]: part[field] }];
    const done = await to.send(new s3.CompleteMultipartUploadCommand({ Bucket, Key, UploadId, MultipartUpload: { Parts } }));
    equal(done.ChecksumType, algorithm === "CRC64NVME" ? "FULL_OBJECT" : "COMPOSITE", `the type of parts with ${algorithm}`);
    equal(done[field].endsWith("-1"), algorithm !== "CRC64NVME", `CompleteMultipartUpload: ${field}`);
  }
}

const flows = { checksums, sign, partUrls, trees, sdk, versions };
console.log(JSON.stringify((await flows[settings.flow]()) ?? { checks }));

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

const flows = { sign, partUrls, trees, sdk };
console.log(JSON.stringify((await flows[settings.flow]()) ?? { checks }));

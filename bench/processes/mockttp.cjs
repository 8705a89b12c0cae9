/** mockttp as a plain proxy: `node mockttp.cjs PACKAGE PORT`. It records nothing and trusts every origin. */
const [, , directory, port] = process.argv;
const { generateCACertificate, getLocal } = require(directory);

async function main() {
  const https = await generateCACertificate();
  const server = getLocal({ https, http2: true, recordTraffic: false, maxBodySize: 64 * 1024 });
  await server.forUnmatchedRequest().thenPassThrough({ ignoreHostHttpsErrors: true });
  await server.start(Number(port));
}

void main();

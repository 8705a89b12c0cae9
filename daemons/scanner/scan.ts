import type { FingerprintFinder } from '../known-secrets/fingerprints.ts';
import { type Collector, createCollector } from './collector.ts';
import { type Budget, decompressed } from './compressed.ts';
import { decodedTexts } from './encoded.ts';
import type { ScanResult } from './finding.ts';
import { type Layer, outerLayer } from './layer.ts';
import { findTokens } from './tokens.ts';
import { unescaped } from './unescape.ts';

/** How many times something may be encoded: base64 of gzip is found, base64 of gzip of gzip is not. */
const DEEPEST = 2;

/**
 * Scans `bytes` as they are, and what comes out of them by decoding at most two times. Rejects with an error for a person where they cannot be
 * looked through, as when more than `mostDecodedBytes` come out of compressed data.
 */
export async function scanBytes(
  bytes: Buffer,
  known: readonly FingerprintFinder[],
  mostDecodedBytes: number,
): Promise<ScanResult> {
  const collector = createCollector(bytes);
  await scanLayer(outerLayer(bytes), known, collector, { left: mostDecodedBytes });
  return collector.result();
}

async function scanLayer(
  layer: Layer,
  known: readonly FingerprintFinder[],
  collector: Collector,
  budget: Budget,
): Promise<void> {
  if (collector.isFull || layer.bytes.length === 0) return;
  const matches = known.flatMap((finder) => finder.find(layer.bytes));
  for (const { name, start, end } of matches) {
    const secret = layer.bytes.toString('latin1', start, end);
    collector.add(layer, { rule: 'known-secret', what: `the secret ${name}`, secret, offset: start });
  }
  await findTokens(layer, matches, collector);
  if (layer.decodings.length >= DEEPEST) return;
  const readable = unescaped(layer);
  if (readable !== undefined) await scanLayer(readable, known, collector, budget);
  for (const decoded of decodedTexts(layer)) await scanLayer(decoded, known, collector, budget);
  for (const decoded of decompressed(layer, budget)) await scanLayer(decoded, known, collector, budget);
}

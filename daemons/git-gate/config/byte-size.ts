import * as z from 'zod/mini';
import { refuse } from '../../../config/values.ts';

const UNITS: Readonly<Record<string, number>> = { '': 1, KiB: 1024, MiB: 1024 ** 2, GiB: 1024 ** 3 };
const SIZE = /^(\d{1,12}) ?(|KiB|MiB|GiB)$/;

const sizeText = z.string();
z.globalRegistry.add(sizeText, { title: 'size', pattern: SIZE.source });

/** Bytes, from `64 MiB`, `512KiB` or a plain number. */
export const byteSize = z.codec(z.union([sizeText, z.int()]), z.int().check(z.positive()), {
  decode: (text, payload) => {
    const [, count = '', unit = ''] = SIZE.exec(String(text)) ?? [];
    const bytes = Number(count) * (UNITS[unit] ?? 0);
    if (bytes > 0 && Number.isSafeInteger(bytes)) return bytes;
    return refuse(payload, 'is not a size; write a number with its unit: "512 KiB", "64 MiB", "1 GiB"');
  },
  encode: (bytes) => {
    const unit = Object.keys(UNITS).findLast((name) => bytes % (UNITS[name] ?? 1) === 0) ?? '';
    return `${bytes / (UNITS[unit] ?? 1)} ${unit}`.trimEnd();
  },
});

/** `64 MiB`: for a person, to one decimal place. */
export function formatSize(bytes: number): string {
  const unit = Object.keys(UNITS).findLast((name) => bytes >= (UNITS[name] ?? 1)) ?? '';
  const count = Math.round((bytes / (UNITS[unit] ?? 1)) * 10) / 10;
  return unit === '' ? `${bytes} bytes` : `${count} ${unit}`;
}

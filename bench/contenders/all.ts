import { bottledJson, bottledText } from './bottled.ts';
import type { Contender } from './contender.ts';
import { floor } from './floor.ts';
import { pm2 } from './pm2.ts';
import { runit } from './runit.ts';
import { s6Log, s6Plain } from './s6.ts';
import { supervisord } from './supervisord.ts';
import { tini } from './tini.ts';

/** Every init of the comparison, in the order of the tables. */
export const CONTENDERS: readonly Contender[] = [
  bottledText,
  bottledJson,
  floor,
  tini,
  s6Plain,
  s6Log,
  runit,
  supervisord,
  pm2,
];

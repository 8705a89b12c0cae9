import { createHmac, hash, randomBytes, timingSafeEqual } from 'node:crypto';
import { objectOf, parseJson, textOf } from '../policy/json.ts';
import type { Route } from './route.ts';

/** Seals what a client carries for the bridge between two rounds of a request (2026-07-28, multi round-trip requests). */
export interface StateSeal {
  /** A `requestState` that names a suspended call, good for this request of this caller only, until `ttl` is over. */
  mint(handle: string, route: Route): string;
  /** The handle; undefined where the state was changed, is too old, or belongs to another request or caller. */
  open(state: string, route: Route): string | undefined;
}

/** The key lives as long as the calls that it seals: a bridge that was started again knows none of them. */
export function createStateSeal(ttl: number, clock: () => number = Date.now): StateSeal {
  const key = randomBytes(32);
  const tag = (body: string): Buffer => createHmac('sha256', key).update(body).digest();

  function mint(handle: string, route: Route): string {
    const sealed = { h: handle, e: clock() + ttl, r: digestOf(route) };
    const body = Buffer.from(JSON.stringify(sealed)).toString('base64url');
    return `${body}.${tag(body).toString('base64url')}`;
  }

  function open(state: string, route: Route): string | undefined {
    const dot = state.lastIndexOf('.');
    const body = state.slice(0, Math.max(dot, 0));
    const given = Buffer.from(state.slice(dot + 1), 'base64url');
    const right = tag(body);
    if (given.length !== right.length || !timingSafeEqual(given, right)) return undefined;
    // A text that decodes to the same bytes is not the text that was sealed.
    if (given.toString('base64url') !== state.slice(dot + 1)) return undefined;
    const sealed = objectOf(parseJson(Buffer.from(body, 'base64url').toString()));
    const isGood = typeof sealed.e === 'number' && sealed.e > clock() && sealed.r === digestOf(route);
    return isGood ? textOf(sealed.h) : undefined;
  }

  return { mint, open };
}

/** What must be the same in both rounds: who asks, and for what. */
function digestOf({ caller, method, params }: Route): string {
  const { name, uri, arguments: given } = params;
  return hash('sha256', JSON.stringify([caller.agent, method, name ?? null, uri ?? null, given ?? null]), 'base64url');
}

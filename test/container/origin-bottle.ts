import { randomBytes } from 'node:crypto';
import * as z from 'zod/mini';
import { bottleSchema } from '../../compose/bottle/schema.ts';
import { type BottlePlan, planOf } from '../../compose/plan.ts';

/** A bottle that may ask "origin" or "second", servers in the test's own network, with a credential that only egress has. */
export interface OriginBottle {
  readonly name: string;
  /** Made up for this bottle; the file of its secret is "token". */
  readonly credential: string;
  /** With routes to these hosts, at port 8000, and what differs from engine to engine. */
  plan(sections: Readonly<Record<string, object>>, hosts: readonly string[]): BottlePlan;
}

export function originBottle(prefix: string): OriginBottle {
  const name = `${prefix}-${randomBytes(4).toString('hex')}`;
  return {
    name,
    credential: `made-up-${randomBytes(12).toString('hex')}`,
    plan(sections, hosts) {
      const written = {
        name,
        ...sections,
        egress: {
          routes: hosts.map((host) => ({
            host,
            schemes: ['http'],
            ports: [8000],
            token_env: 'EGRESS_TOKEN_ORIGIN',
            auth_scheme: 'Bearer',
          })),
        },
        pipelock: { internal_hosts: ['origin', 'second'] },
        secrets: { EGRESS_TOKEN_ORIGIN: { file: './token' } },
      };
      return planOf(z.parse(bottleSchema, written), written, { layout: 'bundle' });
    },
  };
}

/** A script for node: asks this address by the variables of its container, and prints status and answer, or what went wrong. */
export function askScript(url: string): string {
  return `fetch(${JSON.stringify(url)}).then(async (r) => console.log(r.status, await r.text()), (e) => console.log(String(e.cause ?? e)))`;
}

import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { after, before, describe, test } from 'node:test';
import { noEngine } from '../container/engine.ts';
import type { Attack } from './attack.ts';
import { ATTACKS } from './attacks/all.ts';
import { CREDENTIALS, LEAK } from './bottle-file.ts';
import { startWorld, type World } from './world.ts';

/** Secrets that an attack may be after. */
const SECRETS: Readonly<Record<string, string>> = {
  CREDENTIAL: CREDENTIALS.EGRESS_TOKEN_ORIGIN,
  TOOL_SECRET: CREDENTIALS.TOOL_SECRET,
  LEAK,
};

const PATIENCE_MS = 10_000;

/**
 * Every attack on a real bottle of this layout; with its twin, where `withTwins`. A twin needs no second layout: what is off in it is
 * not in the bottle.
 */
export function attackSuite(layout: 'bundle' | 'split', withTwins: boolean): void {
  const only =
    process.env.ATTACK === undefined ? ATTACKS : ATTACKS.filter(({ name }) => name.includes(process.env.ATTACK ?? ''));
  describe(`from the agent's container, layout ${layout}`, { skip: noEngine, timeout: 600_000 }, () => {
    let world: World;
    before(async () => {
      world = await startWorld({ layout, withPlaces: true });
    });
    after(() => world?.end());
    for (const attack of only) test(attack.name, async () => await carryOut(world, attack, withTwins));
  });
}

/**
 * The attempt and its twin: at the same time where their words tell them apart, else one after the other, since both leave traces in one
 * record. Only what is refused leaves the line that is waited for.
 */
export async function carryOut(world: World, attack: Attack, withTwin: boolean): Promise<void> {
  const { twin } = attack;
  const trying = attempt(world, attack, attack.script, 'agent');
  if (!attack.gains.includes('$N')) await trying;
  const [tried, unguarded] = await Promise.all([
    trying,
    withTwin ? attempt(world, attack, twin.script ?? attack.script, twin.at) : undefined,
  ]);
  assert.ok(!tried.succeeded, `it succeeded: ${tried.text}\n${tried.arrived.join('\n')}`);
  assert.match(tried.text, attack.told);
  assert.ok(
    unguarded?.succeeded !== false,
    `without the guard it does not succeed either: ${unguarded?.text}\n${unguarded?.arrived.join('\n')}`,
  );
  if (!(attack.trace instanceof RegExp)) return;
  const { trace } = attack;
  const line = await world.log.wait(tried.logged, (each) => trace.test(each), PATIENCE_MS);
  const since = world.log.since(tried.logged).join('\n');
  assert.ok(
    line !== undefined,
    `no line matches ${trace}; the agent was told:\n${tried.text}\nand the log has\n${since}`,
  );
}

async function attempt(world: World, { gains }: Attack, script: string, place: Attack['twin']['at']) {
  const word = `w${randomBytes(5).toString('hex')}`;
  const gained = gains.replaceAll(/\$(N|[A-Z_]+)\b/g, (_, name: string) =>
    name === 'N' ? word : (SECRETS[name] ?? name),
  );
  const [logged, outside] = [world.log.length(), world.outside.length()];
  const text = await world.run(place, script, word);
  await world.settled();
  const arrived = world.outside.since(outside);
  const succeeded = text.includes(gained) || arrived.some((line) => line.includes(gained));
  return { text, arrived, succeeded, logged };
}

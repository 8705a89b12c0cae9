import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { guardRuleset } from '../../compose/kubernetes/guard.ts';

// What the rules do to packets is in test/container/kubernetes-guard.test.ts; here is what they are made of.
describe('the rules of the guard', () => {
  const options = {
    daemonUsers: [10002, 10001],
    publicPorts: [9420, 9099, 9099],
    privatePorts: [8888],
    healthPort: 9180,
  };
  const rules = guardRuleset(options);

  it('refuse what no rule allows, in every direction', () => {
    assert.deepEqual(
      [...rules.matchAll(/hook (\w+) priority filter; policy (\w+);/g)].map(([, ...hook]) => hook),
      [
        ['output', 'drop'],
        ['input', 'drop'],
        ['forward', 'drop'],
      ],
    );
  });

  it('hold for IPv4 and IPv6', () => {
    assert.deepEqual([...new Set([...rules.matchAll(/^table (\w+) /gm)].map(([, family]) => family))], ['inet']);
  });

  it('count root and the daemons as the bundle, and everyone else as the agent', () => {
    assert.match(rules, /elements = \{ 0, 10001, 10002 \}/);
    assert.match(rules, /meta skuid != @bundle goto agent/);
  });

  it('name each port once, and the port for health among those that are not for the agent', () => {
    assert.match(rules, /tcp sport \{ 9099, 9420 \} accept/);
    assert.match(rules, /tcp dport \{ 8888, 9180 \} reject with tcp reset/);
  });

  it('replace what was loaded before in one step', () => {
    assert.match(rules, /^table inet bottled\ndelete table inet bottled\n\ntable inet bottled \{/);
  });

  it('use no names that a small image lacks: those of protocols are in /etc/protocols', () => {
    assert.doesNotMatch(rules, /l4proto (!= )?\{? ?[a-z]/);
  });

  it('are the same for the same options, in whatever order', () => {
    const { daemonUsers, publicPorts } = options;
    const turned = { ...options, daemonUsers: [...daemonUsers].reverse(), publicPorts: [...publicPorts].reverse() };
    assert.equal(guardRuleset(turned), rules);
  });
});

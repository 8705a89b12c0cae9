import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { renderGraph, startLayers } from '../../init/bundle/graph.ts';
import { startOrder } from '../../init/bundle/order.ts';
import { planText } from '../../init/bundle/plan.ts';
import { bundleOf, parse } from './files.ts';

const BUNDLE = bundleOf(
  parse(`
name: dev
signals: { SIGHUP: { reload: true }, SIGUSR1: { restart: [web] } }
daemons:
  web:
    command: [node, "my app.js"]
    depends_on: { db: { condition: service_healthy }, migrate: { condition: service_completed_successfully, required: false } }
    environment: { TOKEN: hunter2 }
    restart: always
    essential: true
  migrate: { command: migrate up, depends_on: [db] }
  db: { command: postgres, user: postgres, healthcheck: { tcp: { port: 5432 }, start_interval: 100ms } }
`),
);

test('daemons start in layers, each after those that it depends on', () => {
  assert.deepEqual(startLayers(BUNDLE), [['db'], ['migrate'], ['web']]);
});

/** Names 0 to n - 1, and for each those that it needs. */
const needs = fc.array(fc.array(fc.nat(7), { maxLength: 3 }), { maxLength: 8 });

test('every name is in one layer or one cycle or behind a cycle, and after all that it needs', () => {
  fc.assert(
    fc.property(needs, (all) => {
      const names = all.map((_, i) => String(i));
      const needsOf = (name: string): string[] => (all[Number(name)] ?? []).map(String);
      const { layers, cycles } = startOrder(names, needsOf);
      assert.deepEqual([...layers.flat(), ...cycles.flat()].sort(), names);
      for (const cycle of cycles) {
        for (const [i, name] of cycle.entries()) assert.ok(needsOf(name).includes(cycle[(i + 1) % cycle.length] ?? ''));
      }
      if (cycles.length > 0) return;
      const layerOf = new Map(layers.flatMap((layer, i) => layer.map((name) => [name, i])));
      for (const name of names) {
        for (const need of needsOf(name)) {
          assert.ok((layerOf.get(need) ?? -1) < (layerOf.get(name) ?? 0));
        }
      }
    }),
  );
});

test('the graph is a text for a terminal, a Mermaid flowchart or a Graphviz file', () => {
  assert.equal(
    renderGraph(BUNDLE, 'text'),
    '1.  db\n2.  migrate  ← db (started)\n3.  web      ← db (healthy), migrate (completed, if it can)\n',
  );
  assert.equal(
    renderGraph(BUNDLE, 'mermaid'),
    `flowchart LR
  d0[["web"]]
  d1["migrate"]
  d2["db"]
  d2 -->|healthy| d0
  d1 -.->|completed| d0
  d2 -->|started| d1
`,
  );
  assert.equal(
    renderGraph(BUNDLE, 'dot'),
    `digraph "dev" {
  rankdir=LR;
  "web" [shape=box, peripheries=2];
  "migrate" [shape=box];
  "db" [shape=box];
  "db" -> "web" [label="healthy"];
  "migrate" -> "web" [label="completed", style=dashed];
  "db" -> "migrate" [label="started"];
}
`,
  );
});

test('the plan says for each daemon, in start order, what it runs and waits for, and nothing of its variables', () => {
  const plan = planText(BUNDLE);
  assert.doesNotMatch(plan, /hunter2/);
  assert.equal(
    plan,
    `dev: 3 daemons; exit code: worst; stops within 8s

db
  runs       postgres
  as         postgres
  in         /etc
  ready      when tcp 127.0.0.1:5432 passes, tried every 100ms
  restart    no
  stop       SIGTERM, after 10s SIGKILL

migrate
  runs       migrate up
  in         /etc
  waits for  db (started)
  ready      when it has run 1s
  restart    no
  stop       SIGTERM, after 10s SIGKILL

web (essential)
  runs       node 'my app.js'
  in         /etc
  waits for  db (healthy), migrate (completed)
  ready      when it has run 1s
  restart    always: at once, then 1s × 1.5ⁿ up to 30s, at most 5 in a row
  stop       SIGTERM, after 10s SIGKILL

signals
  SIGHUP: reads the bundle file anew
  SIGUSR1: restarts web

start order
  1.  db
  2.  migrate  ← db (started)
  3.  web      ← db (healthy), migrate (completed, if it can)
`,
  );
});

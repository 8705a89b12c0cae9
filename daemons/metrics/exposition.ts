/** Label names and values of one series. */
export type Labels = Readonly<Record<string, string>>;

/** A family of series that share a name: what the Prometheus text format (version 0.0.4) calls a metric. */
export interface Family {
  /** Its lines, with HELP and TYPE before them. */
  render(): string;
}

export interface Counter extends Family {
  add(labels: Labels, amount?: number): void;
}

export interface Histogram extends Family {
  observe(labels: Labels, value: number): void;
}

/** The label value that takes the place of every new one when a family is full. */
const OTHER = 'other';

/**
 * A counter of at most `most` series: where labels come from outside, what goes beyond is counted as `other`, so that
 * nobody can fill the memory of the daemon or of Prometheus.
 */
export function createCounter(name: string, help: string, most: number): Counter {
  const series = new Map<string, number>();

  function add(labels: Labels, amount = 1): void {
    const wanted = renderLabels(labels);
    const key = series.has(wanted) || series.size < most ? wanted : renderLabels(overflowed(labels));
    series.set(key, (series.get(key) ?? 0) + amount);
  }

  function render(): string {
    return family(
      name,
      'counter',
      help,
      [...series].map(([labels, value]) => `${name}${labels} ${value}`),
    );
  }

  return { add, render };
}

/** What a family says when it is asked: one value, or one for each series. */
export type Reading = () => number | readonly (readonly [Labels, number])[];

/** A gauge that is asked for its values when it is rendered. */
export function createGauge(name: string, help: string, read: Reading): Family {
  return asked(name, 'gauge', help, read);
}

/** A counter whose total somebody else keeps: it is asked for it when it is rendered. */
export function createObservableCounter(name: string, help: string, read: Reading): Family {
  return asked(name, 'counter', help, read);
}

function asked(name: string, type: string, help: string, read: Reading): Family {
  return {
    render() {
      const values = read();
      const series = typeof values === 'number' ? ([[{}, values]] as const) : values;
      return family(
        name,
        type,
        help,
        series.map(([labels, value]) => `${name}${renderLabels(labels)} ${value}`),
      );
    },
  };
}

/** A histogram with upper `bounds` in rising order, of at most `most` series as with a counter. */
export function createHistogram(name: string, help: string, bounds: readonly number[], most: number): Histogram {
  const series = new Map<string, { labels: Labels; counts: number[]; sum: number; count: number }>();

  function observe(labels: Labels, value: number): void {
    const fits = series.has(renderLabels(labels)) || series.size < most;
    const kept = fits ? labels : overflowed(labels);
    const key = renderLabels(kept);
    const one = series.get(key) ?? { labels: kept, counts: bounds.map(() => 0), sum: 0, count: 0 };
    one.sum += value;
    one.count += 1;
    bounds.forEach((bound, at) => {
      if (value <= bound) one.counts[at] = (one.counts[at] ?? 0) + 1;
    });
    series.set(key, one);
  }

  function render(): string {
    const lines = [...series.values()].flatMap(({ labels, counts, sum, count }) => [
      ...bounds.map(
        (bound, at) => `${name}_bucket${renderLabels({ ...labels, le: String(bound) })} ${counts[at] ?? 0}`,
      ),
      `${name}_bucket${renderLabels({ ...labels, le: '+Inf' })} ${count}`,
      `${name}_sum${renderLabels(labels)} ${sum}`,
      `${name}_count${renderLabels(labels)} ${count}`,
    ]);
    return family(name, 'histogram', help, lines);
  }

  return { observe, render };
}

function family(name: string, type: string, help: string, lines: readonly string[]): string {
  return `${[`# HELP ${name} ${help}`, `# TYPE ${name} ${type}`, ...lines].join('\n')}\n`;
}

function overflowed(labels: Labels): Labels {
  return Object.fromEntries(Object.keys(labels).map((label) => [label, OTHER]));
}

function renderLabels(labels: Labels): string {
  const parts = Object.entries(labels).map(([label, value]) => `${label}="${escapeLabel(value)}"`);
  return parts.length === 0 ? '' : `{${parts.join(',')}}`;
}

function escapeLabel(value: string): string {
  return value.replaceAll('\\', '\\\\').replaceAll('"', '\\"').replaceAll('\n', '\\n');
}

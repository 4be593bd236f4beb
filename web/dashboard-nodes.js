// The dashboard's nodes: made and changed, with text only, never with markup. And the small plots.

export const at = (id) => document.getElementById(id);

/** Said to a screen reader, when it has time. */
export const tell = (text) => write(at("told"), text);

export function make(tag, attributes = {}, ...children) {
  const node = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) node.setAttribute(name, value);
  node.append(...children);
  return node;
}

export function listed(entries) {
  return make("dl", {}, ...entries.flatMap(([name, value]) => [make("dt", {}, name), make("dd", {}, String(value))]));
}

/** Writes only what changed: a screen reader hears, and a selection loses, nothing for nothing. */
export function write(node, text) {
  if (node.textContent !== text) node.textContent = text;
}

export function mark(node, name, value) {
  if (node.getAttribute(name) !== String(value)) node.setAttribute(name, value);
}

export function badge(node, text, tone) {
  write(node, text);
  mark(node, "data-tone", tone);
}

/** One item a name in `host`, kept while the names stay the same, so that focus stays where it is. */
export function items(host, members, build, update) {
  const names = JSON.stringify(Object.keys(members));
  if (host.names !== names) {
    host.parts = new Map(Object.keys(members).map((name) => [name, build(name)]));
    host.replaceChildren(...[...host.parts.values()].map((part) => part.node));
    host.names = names;
  }
  for (const [name, part] of host.parts) update(part, members[name], name);
}

// ---- meters ----------------------------------------------------------------------------------------------

/** A bar with its words above it. */
export function meter(name, label) {
  const [fill, text] = [make("div"), make("span", { class: "quiet" })];
  const bar = make("div", { class: "bar", role: "meter", "aria-label": `${name}: ${label}`, "aria-valuemin": 0 }, fill);
  return { node: make("div", {}, text, bar), bar, fill, text };
}

/** `tone`: how the filled part looks. */
export function fill(it, value, max, text, tone) {
  const whole = Math.max(1, max, value);
  it.fill.style.width = `${(100 * value) / whole}%`;
  write(it.text, text);
  mark(it.bar, "aria-valuenow", value);
  mark(it.bar, "aria-valuemax", whole);
  mark(it.bar, "aria-valuetext", text);
  mark(it.bar, "data-tone", tone);
}

// ---- plots -----------------------------------------------------------------------------------------------

const SPAN = 120; // seconds in a plot

/** An empty plot in `host`. */
export function plot(host, name, unit) {
  const text = make("span", { class: "quiet" });
  const svg = document.createElementNS("http://www.w3.org/2000/svg", "svg");
  const [path, dots] = ["trace", "dots"].map((kind) => {
    const node = document.createElementNS("http://www.w3.org/2000/svg", "path");
    mark(node, "class", kind);
    return node;
  });
  mark(svg, "viewBox", `0 0 ${SPAN} 100`);
  mark(svg, "preserveAspectRatio", "none"); // as wide as there is room
  mark(svg, "role", "img");
  svg.append(path, dots);
  host.append(make("div", { class: "plot" }, make("div", { class: "line" }, make("span", {}, name), text), svg));
  return { name, unit, text, svg, path, dots, values: [] };
}

/** One second more: a line through what is known, a dot where its neighbours are not; where nothing is, there is none. */
export function draw(it, value) {
  it.values = [...it.values, value].slice(-SPAN);
  const most = Math.max(0, ...it.values.filter((each) => each != null));
  const [from, points, alone] = [SPAN - it.values.length, [], []];
  const known = (place) => it.values[place] != null;
  it.values.forEach((each, place) => {
    if (each == null) return;
    const [x, y] = [from + place + 0.5, (95 - (90 * each) / Math.max(1, most)).toFixed(1)];
    if (known(place - 1) || known(place + 1)) points.push(`${known(place - 1) ? "L" : "M"}${x} ${y}`);
    else alone.push(`M${x} ${y}h.01`);
  });
  it.path.setAttribute("d", points.join(""));
  it.dots.setAttribute("d", alone.join(""));
  const last = it.values.findLast((each) => each != null);
  const text = last == null ? "nothing yet" : `${Math.round(last)} ${it.unit}, at most ${Math.round(most)}`.replace(" ,", ",");
  write(it.text, text);
  mark(it.svg, "aria-label", `${it.name}: ${text}`);
}

/** The middle one; null of nothing. */
export function median(values) {
  const sorted = values.filter((value) => value != null).sort((a, b) => a - b);
  return sorted.length ? sorted[Math.floor(sorted.length / 2)] : null;
}

// The dashboard's nodes: made and changed, with text only, never with markup. And the small plots.

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

// ---- plots -----------------------------------------------------------------------------------------------

const SPAN = 120; // seconds in a plot

/** An empty plot in `host`. */
export function plot(host, name, unit) {
  const text = make("span", { class: "quiet" });
  const svg = document.createElementNS("http://www.w3.org/2000/svg", "svg");
  const path = document.createElementNS("http://www.w3.org/2000/svg", "path");
  mark(svg, "viewBox", `0 0 ${SPAN} 100`);
  mark(svg, "preserveAspectRatio", "none"); // as wide as there is room
  mark(svg, "role", "img");
  svg.append(path);
  host.append(make("div", { class: "plot" }, make("div", { class: "line" }, make("span", {}, name), text), svg));
  return { name, unit, text, svg, path, values: [] };
}

/** One second more: a line through what is known; where nothing is, there is none. */
export function draw(it, value) {
  it.values = [...it.values, value].slice(-SPAN);
  const most = Math.max(0, ...it.values.filter((each) => each != null));
  const [from, points] = [SPAN - it.values.length, []];
  it.values.forEach((each, place) => {
    if (each == null) return;
    const [x, y] = [from + place + 0.5, (95 - (90 * each) / Math.max(1, most)).toFixed(1)];
    points.push(`${it.values[place - 1] == null ? "M" : "L"}${x} ${y}h.01`);
  });
  it.path.setAttribute("d", points.join(""));
  const known = it.values.findLast((each) => each != null);
  const text = known == null ? "nothing yet" : `${Math.round(known)} ${it.unit}, at most ${Math.round(most)}`.replace(" ,", ",");
  write(it.text, text);
  mark(it.svg, "aria-label", `${it.name}: ${text}`);
}

/** The middle one; null of nothing. */
export function median(values) {
  const sorted = values.filter((value) => value != null).sort((a, b) => a - b);
  return sorted.length ? sorted[Math.floor(sorted.length / 2)] : null;
}

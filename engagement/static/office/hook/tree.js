// A payload as a tree of buttons: each inserts the JSONPath of its value. Long lists and deep parts open on demand.
import { make } from "../rule/dom.js";

const OPEN_DEPTH = 4;
const MOST = 50;
const CUT = 60;

export function showTree(place, text, headers, insert) {
  place.replaceChildren();
  let value;
  try {
    value = text.trim() ? JSON.parse(text, keepLarge) : undefined;
  } catch {
    place.append(make("p", { class: "field-error" }, "This is no JSON."));
    return;
  }
  if (value !== undefined) place.append(showChildren(value, "$", 0, insert));
  const names = Object.keys(headers);
  if (!names.length) return;
  const items = names.map((name) => make("li", {}, showLeaf(name, headers[name], `header:${name}`, name, insert)));
  place.append(make("p", { class: "hook-headers" }, "Headers"), make("ul", {}, ...items));
}

// Ids may be larger than a number of JavaScript holds: where the browser tells, they are shown as they were written.
function keepLarge(key, value, context) {
  const isLarge = typeof value === "number" && !Number.isSafeInteger(value) && /^-?\d+$/.test(context?.source || "");
  return isLarge ? BigInt(context.source) : value;
}

function write(value) {
  return typeof value === "bigint" ? String(value) : JSON.stringify(value);
}

function showChildren(value, path, depth, insert) {
  const list = make("ul");
  const pairs = Array.isArray(value) ? value.map((child, index) => [index, child]) : Object.entries(value);
  for (const [key, child] of pairs.slice(0, MOST)) list.append(showOne(key, child, step(path, key), depth, insert));
  if (pairs.length > MOST) list.append(make("li", { class: "quiet" }, `and ${pairs.length - MOST} more`));
  return list;
}

function showOne(key, value, path, depth, insert) {
  const isBranch = value !== null && typeof value === "object";
  if (!isBranch) return make("li", {}, showLeaf(key, write(value), path, nameOf(path), insert));
  const size = Array.isArray(value) ? `list of ${value.length}` : "";
  const details = make("details", { open: depth < OPEN_DEPTH - 1 && pairsOf(value) <= MOST }, make("summary", {}, make("span", { class: "hook-key" }, String(key)), ` ${size}`));
  const whole = showLeaf("all of it", "", path, nameOf(path), insert);
  const fill = () => details.children.length > 1 || details.append(whole, showChildren(value, path, depth + 1, insert));
  if (details.open) fill();
  else details.addEventListener("toggle", fill, { once: true });
  return make("li", {}, details);
}

function showLeaf(key, value, path, name, insert) {
  const shown = value.length > CUT ? `${value.slice(0, CUT)}…` : value;
  const button = make("button", { type: "button", class: "hook-value", title: path, onclick: () => insert(path, name) });
  button.append(make("span", { class: "visually-hidden" }, `Insert ${path}: `), make("span", { class: "hook-key" }, String(key)), shown ? make("code", {}, shown) : "");
  return button;
}

function pairsOf(value) {
  return Array.isArray(value) ? value.length : Object.keys(value).length;
}

function step(path, key) {
  if (typeof key === "number") return `${path}[${key}]`;
  if (/^[A-Za-z_][A-Za-z0-9_]*$/.test(key)) return `${path}.${key}`;
  // Inside single quotes, where JSON's own escapes are RFC 9535's too.
  const quoted = JSON.stringify(key).slice(1, -1).replaceAll('\\"', '"').replaceAll("'", "\\'");
  return `${path}['${quoted}']`;
}

function nameOf(path) {
  const names = path.match(/[A-Za-z_][A-Za-z0-9_]*/g) || [];
  return names.at(-1) || "";
}

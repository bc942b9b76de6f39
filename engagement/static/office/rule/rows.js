// One row for each kind of condition: a value compared, how often something was done, that it was never done, from where.
import { choose, make } from "./dom.js";
import { makeDuration, makeValue } from "./values.js";

const KINDS = [["event", "The event’s"], ["profile", "The person’s"], ["count", "They have done"], ["never", "They have not done"], ["source", "What they did last came from"]];
const MAKERS = { count: makeCount, never: makeNever, source: makeSource };

export function makeRow(node, editor, vocabulary) {
  const row = make("div", { class: "condition", role: "group", "aria-label": "Condition" });
  const kind = choose("What is looked at", KINDS, findKind(node));
  const parts = make("span", { class: "parts" });
  row.append(kind, parts);
  let condition;
  const build = (given) => {
    condition = (MAKERS[kind.value] || makeCompare)(kind.value, given, editor, vocabulary);
    parts.replaceChildren(...condition.elements);
  };
  kind.addEventListener("input", () => build({}));
  build(node);
  row.read = () => condition.read();
  return row;
}

function findKind(node) {
  return node.node in MAKERS ? node.node : node.field?.from || "event";
}

function makeCompare(from, node, editor, vocabulary) {
  const names = from === "event" ? "rule-properties" : "rule-traits";
  const hint = from === "event" ? "property, such as cart.total" : "attribute, such as email";
  const path = make("input", { type: "text", list: names, autocomplete: "off", placeholder: hint, "aria-label": from === "event" ? "Property" : "Attribute" });
  path.value = node.field?.path || "";
  const operators = editor.operators.map((one) => [one.name, one.words, one.group]);
  const operator = choose("Comparison", operators, node.operator || "is");
  const place = make("span", { class: "value" });
  let value;
  let shape;
  const show = (given) => {
    const next = editor.operators.find((one) => one.name === operator.value).shape;
    if (next === shape) return;
    shape = next;
    value = makeValue(shape, given);
    place.replaceChildren(value.element);
  };
  operator.addEventListener("input", () => show(undefined));
  show(node.value);
  // Values are offered, never prescribed: an event may bring what none has brought.
  place.addEventListener("focusin", ({ target }) => {
    if (from !== "event" || target.tagName !== "INPUT" || target.type === "datetime-local") return;
    vocabulary.offerValues(path.value.trim());
    target.setAttribute("list", "rule-values");
  });
  const read = () => {
    const field = { from, path: path.value.trim() };
    const given = value.read();
    return { node: "compare", field, operator: operator.value, ...(given === undefined ? {} : { value: given }) };
  };
  return { elements: [path, operator, place], read };
}

function makeCount(_, node, editor) {
  const event = makeEvent(node.event);
  const operators = editor.operators.filter((one) => one.counts).map((one) => [one.name, one.words.replace(/^is /, "")]);
  const operator = choose("Comparison", operators, node.operator || "ge");
  const place = make("span", { class: "value" });
  let number;
  const show = (given) => {
    number = makeValue(operator.value === "between" ? "range" : "number", given);
    place.replaceChildren(number.element);
  };
  operator.addEventListener("input", () => show(operator.value === "between" ? [1, 2] : 1));
  show(node.value ?? 1);
  const window_ = makeWindow(node.within);
  const read = () => ({ node: "count", event: event.value.trim(), operator: operator.value, value: number.read(), within: window_.read() });
  return { elements: [event, operator, place, "times", window_.element], read };
}

function makeNever(_, node) {
  const event = makeEvent(node.event);
  const window_ = makeWindow(node.within);
  return { elements: [event, window_.element], read: () => ({ node: "never", event: event.value.trim(), within: window_.read() }) };
}

function makeSource(_, node, editor) {
  const isGone = node.source && !editor.sources.some(([id]) => id === node.source);
  const sources = isGone ? [...editor.sources, [node.source, `source ${node.source}, which is gone`]] : editor.sources;
  const source = choose("Source", sources, node.source);
  return { elements: [source], read: () => ({ node: "source", source: Number(source.value) }) };
}

function makeEvent(name) {
  const input = make("input", { type: "text", list: "rule-events", autocomplete: "off", placeholder: "event", "aria-label": "Event" });
  input.value = name || "";
  return input;
}

function makeWindow(within) {
  const reach = choose("Within which time", [["last", "in the last"], ["ever", "as far back as is kept"]], within === null ? "ever" : "last");
  const span = makeDuration("Time span", within || 7 * 86400);
  const show = () => (span.element.hidden = reach.value === "ever");
  reach.addEventListener("input", show);
  show();
  return { element: make("span", { class: "pair" }, reach, span.element), read: () => (reach.value === "ever" ? null : span.read()) };
}

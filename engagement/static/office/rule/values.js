// One control for each shape of value. `read()` gives what stands in the rule's JSON.
import { choose, make } from "./dom.js";

const UNITS = [[86400, "days"], [3600, "hours"], [60, "minutes"], [1, "seconds"]];

export function makeValue(shape, value) {
  return (SHAPES[shape] || SHAPES.text)(value);
}

export function makeDuration(label, seconds) {
  const unit = UNITS.find(([size]) => seconds && seconds % size === 0)?.[0] || 86400;
  const number = make("input", { type: "number", min: 1, step: 1, class: "short", "aria-label": label });
  number.value = seconds ? seconds / unit : "";
  const units = choose(`${label}: unit`, UNITS, unit);
  return { element: make("span", { class: "pair" }, number, units), read: () => Math.round(Number(number.value) * Number(units.value)) };
}

const SHAPES = {
  text(value) {
    const input = make("input", { type: "text", "aria-label": "Value" });
    const shown = value == null || typeof value === "object" ? "" : String(value);
    input.value = shown;
    // A number or yes/no that was not touched stays what it was; what is typed is text, which equals either.
    return { element: input, read: () => (input.value === shown && value != null && typeof value !== "object" ? value : input.value) };
  },
  list(value) {
    const given = Array.isArray(value) ? value : [];
    const area = make("textarea", { rows: Math.max(2, given.length), "aria-label": "Values, one on each line", placeholder: "one on each line" });
    area.value = given.join("\n");
    const read = () => area.value.split("\n").map((line) => line.trim()).filter(Boolean).map((line) => given.find((one) => String(one) === line) ?? line);
    return { element: area, read };
  },
  number(value) {
    const input = makeNumber("Number", value);
    return { element: input, read: () => readNumber(input) };
  },
  range(value) {
    const [low, high] = Array.isArray(value) ? value : [];
    const [from, to] = [makeNumber("From", low), makeNumber("To", high)];
    return { element: make("span", { class: "pair" }, from, "and", to), read: () => [readNumber(from), readNumber(to)] };
  },
  moment(value) {
    const input = make("input", { type: "datetime-local", "aria-label": "Date and time in UTC" });
    const moment = value ? new Date(String(value).length > 10 && !/(Z|[+-]\d\d:?\d\d)$/.test(value) ? `${value}Z` : value) : null;
    if (moment && !isNaN(moment)) input.value = moment.toISOString().slice(0, 16);
    const shown = input.value;
    return { element: make("span", { class: "pair" }, input, "UTC"), read: () => (input.value === shown && value ? value : input.value ? `${input.value}Z` : "") };
  },
  duration(value) {
    return makeDuration("Time span", typeof value === "number" ? value : 86400);
  },
  nothing() {
    return { element: make("span"), read: () => undefined };
  },
};

function makeNumber(label, value) {
  const input = make("input", { type: "number", step: "any", class: "short", "aria-label": label });
  if (typeof value === "number") input.value = value;
  return input;
}

function readNumber(input) {
  return input.value === "" ? "" : Number(input.value);
}

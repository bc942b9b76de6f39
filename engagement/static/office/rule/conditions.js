// The condition tree as groups of rows. The page is the state: `read()` gives the tree that stands on it.
import { choose, make, press } from "./dom.js";
import { makeRow } from "./rows.js";

const MODES = [
  ["all", "All of these hold"],
  ["any", "At least one of these holds"],
  ["not all", "Not all of these hold"],
  ["not any", "None of these holds"],
];

export class Conditions {
  constructor(place, editor, vocabulary, changed) {
    Object.assign(this, { place, editor, vocabulary, changed });
    this.status = make("p", { class: "visually-hidden", role: "status" });
    this.paths = [];
  }
  show(node) {
    const [mode, children] = unwrap(node);
    this.root = this.makeGroup(mode, children, true);
    this.place.replaceChildren(this.root, this.status);
  }
  read() {
    this.paths = [];
    return this.readGroup(this.root, "$.conditions");
  }
  // Puts each error at its row; true when all of them found one.
  placeErrors(errors) {
    this.read();
    let placed = 0;
    for (const error of errors) {
      const at = this.paths.filter(([path]) => error.path.startsWith(path)).sort((a, b) => b[0].length - a[0].length)[0];
      if (!at) continue;
      placed += 1;
      const words = make("p", { class: "field-error", role: "alert", id: `condition-error-${placed}` }, error.message);
      at[1].append(words);
      at[1].classList.add("has-error");
      at[1].setAttribute("aria-describedby", words.id);
    }
    return placed === errors.length;
  }

  makeGroup(mode, children, isRoot = false) {
    const group = make("div", { class: "condition-group", role: "group", "aria-label": isRoot ? "Conditions" : "Group of conditions" });
    const rows = make("div", { class: "condition-rows" });
    const head = make("div", { class: "condition-head" }, choose("How these go together", MODES, mode, { class: "mode" }));
    if (!isRoot) head.append(press("Remove group", () => this.remove(group), { class: "office-button small plain" }));
    const foot = make(
      "div",
      { class: "condition-foot" },
      press("Add condition", () => this.add(rows, this.wrapRow({})), { "data-add": "row" }),
      press("Add group", () => this.add(rows, this.makeGroup("any", [{}]))),
    );
    group.append(head, rows, foot);
    rows.append(...children.map((child) => this.makeChild(child)));
    this.countRows(group, rows);
    return group;
  }
  makeChild(node) {
    if (node.node === "all" || node.node === "any" || node.node === "not") return this.makeGroup(...unwrap(node));
    return this.wrapRow(node);
  }
  wrapRow(node) {
    const row = makeRow(node, this.editor, this.vocabulary);
    row.append(press("Remove", () => this.remove(row), { class: "office-button small plain remove", "aria-label": "Remove this condition" }));
    return row;
  }
  add(rows, element) {
    rows.append(element);
    this.countRows(rows.parentElement, rows);
    element.querySelector(".condition select, select, input")?.focus();
    this.status.textContent = "Added.";
    this.changed();
  }
  remove(element) {
    const rows = element.parentElement;
    const next = element.nextElementSibling || element.previousElementSibling;
    element.remove();
    this.countRows(rows.parentElement, rows);
    // Focus stays where the removed one stood.
    (next?.querySelector("select, input") || rows.parentElement.querySelector(":scope > .condition-foot [data-add]")).focus();
    this.status.textContent = "Removed.";
    this.changed();
  }
  // One row needs no word for how rows go together, unless the word turns its sense.
  countRows(group, rows) {
    const mode = group.querySelector(":scope > .condition-head > .mode");
    mode.hidden = rows.children.length < 2 && !mode.value.startsWith("not") && group === this.root;
    group.classList.toggle("empty", rows.children.length === 0);
  }

  readGroup(group, path) {
    const mode = group.querySelector(":scope > .condition-head > .mode").value;
    const isNegated = mode.startsWith("not ");
    const own = isNegated ? `${path}.of` : path;
    const children = [...group.querySelector(":scope > .condition-rows").children];
    this.paths.push([path, group]);
    if (!children.length && group === this.root) return null;
    const node = { node: mode.replace("not ", ""), of: children.map((child, place) => this.readChild(child, `${own}.of[${place}]`)) };
    return isNegated ? { node: "not", of: node } : node;
  }
  readChild(child, path) {
    if (child.classList.contains("condition-group")) return this.readGroup(child, path);
    this.paths.push([path, child]);
    return child.read();
  }
}

// A tree's outermost node as a group: how its parts go together, and the parts.
function unwrap(node) {
  if (!node) return ["all", []];
  if (node.node === "all" || node.node === "any") return [node.node, node.of];
  if (node.node !== "not") return ["all", [node]];
  const inner = node.of;
  return inner.node === "all" || inner.node === "any" ? [`not ${inner.node}`, inner.of] : ["not all", [inner]];
}

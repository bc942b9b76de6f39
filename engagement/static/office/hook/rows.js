// The properties of the event: a name, the place of its value, and whether there is no event without it.
import { make, press } from "../rule/dom.js";

export class Rows {
  constructor(place, hidden, changed) {
    Object.assign(this, { hidden, changed });
    this.list = make("div", { class: "condition-rows" });
    this.button = press("Add property", () => this.append({}).querySelector("input").focus());
    place.append(this.list, make("div", { class: "condition-foot" }, this.button));
    for (const row of JSON.parse(hidden.value || "[]")) this.append(row);
  }
  append(given) {
    const row = make("div", { class: "condition hook-row", role: "group", "aria-label": "Property" });
    const name = make("input", { type: "text", "aria-label": "Name", placeholder: "name, such as total", autocomplete: "off", spellcheck: "false" });
    const place = make("input", { type: "text", "aria-label": "Place", placeholder: "$.", "data-place": true, autocomplete: "off", spellcheck: "false", maxlength: 300 });
    const needed = make("input", { type: "checkbox" });
    [name.value, place.value, needed.checked] = [given.name || "", given.place || "", Boolean(given.is_required)];
    const remove = press("Remove", () => this.remove(row), { "aria-label": "Remove this property", class: "office-button small remove" });
    row.append(name, make("span", { "aria-hidden": "true" }, "="), place, make("label", { class: "check", title: "Without it there is no event" }, needed, " needed"), remove);
    row.read = () => ({ name: name.value.trim(), place: place.value.trim(), is_required: needed.checked });
    this.list.append(row);
    return row;
  }
  add(name) {
    const row = this.append({ name: name || "" });
    return row.querySelector("[data-place]");
  }
  remove(row) {
    const next = row.nextElementSibling || row.previousElementSibling;
    row.remove();
    (next ? next.querySelector(".remove") : this.button).focus();
    this.changed();
  }
  find(index) {
    return this.list.children[index];
  }
  write() {
    this.hidden.value = JSON.stringify([...this.list.children].map((row) => row.read()));
  }
}

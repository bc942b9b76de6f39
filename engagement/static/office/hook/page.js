// The webhook form: a payload beside the mapping, and what becomes of it as one types.
import { make } from "../rule/dom.js";
import { Rows } from "./rows.js";
import { showTree } from "./tree.js";

const PAUSE = 300;
const NO_PAYLOAD = { body: "", headers: {} };

function start(trial) {
  const form = document.getElementById("hook_form");
  const find = (id) => document.getElementById(id);
  const [choice, tree, text] = [find("hook-payloads"), find("hook-tree"), find("hook-body")];
  const example = JSON.parse(find("hook-example").textContent || "null");
  const rows = new Rows(find("hook-rows"), form.elements.properties, () => preview.refreshSoon());
  const preview = new Preview(trial, form, rows, () => ({ body: text.value, headers }));
  let headers = {};
  let focused = null;

  const show = (payload) => {
    headers = payload.headers;
    text.value = payload.body;
    showTree(tree, text.value, headers, insert);
    preview.refreshSoon();
  };
  const insert = (place, name) => {
    // Without a field to put it in, a value becomes a property.
    const field = focused && focused.isConnected ? focused : rows.add(name);
    field.value = place;
    field.dispatchEvent(new Event("input", { bubbles: true }));
    field.focus();
  };
  const load = async () => {
    if (choice.value === "own") {
      find("hook-text").open = true;
      return show(NO_PAYLOAD);
    }
    if (choice.value === "example") return show(example);
    const response = await fetch(trial.dataset.payload.replace("/0/", `/${choice.value}/`));
    show(response.ok ? await response.json() : NO_PAYLOAD);
  };

  form.addEventListener("focusin", (event) => {
    if (event.target.matches("[data-place]")) focused = event.target;
    else if (!event.target.closest(".hook-trial")) focused = null;
  });
  form.addEventListener("input", (event) => {
    if (event.target === choice) return;
    if (event.target !== text) preview.isTouched = true;
    if (event.target === text) showTree(tree, text.value, headers, insert);
    preview.refreshSoon();
  });
  form.addEventListener("submit", () => rows.write());
  choice.addEventListener("change", load);
  switchHeader(form);
  load();
}

function switchHeader(form) {
  const styles = JSON.parse(document.getElementById("hook-styles").textContent);
  const refresh = () => {
    const style = styles[form.elements.style.value];
    form.querySelector("[data-field=header]").hidden = !style.own;
    form.elements.header.placeholder = style.header;
  };
  form.elements.style.addEventListener("change", refresh);
  refresh();
}

class Preview {
  constructor(trial, form, rows, read) {
    Object.assign(this, { trial, form, rows, read, timer: 0, number: 0, isTouched: false });
  }
  refreshSoon() {
    clearTimeout(this.timer);
    this.timer = setTimeout(() => this.refresh(), PAUSE);
  }
  async refresh() {
    const number = ++this.number;
    this.rows.write();
    const body = new FormData(this.form);
    const payload = this.read();
    body.set("payload", payload.body);
    body.set("payload_headers", JSON.stringify(payload.headers));
    body.set("hook", this.trial.dataset.hook);
    const response = await fetch(this.trial.dataset.preview, { method: "POST", body });
    // An answer to an older question must not replace that to a newer one.
    if (number !== this.number) return;
    this.show(response.ok ? await response.json() : { result: "error", says: "This could not be tried just now.", event: "", notes: [] });
  }
  show(answer) {
    const says = document.getElementById("hook-says");
    says.textContent = answer.says;
    says.className = `notice ${{ event: "good", unclear: "warning", error: "warning" }[answer.result] || ""}`;
    const event = document.getElementById("hook-event");
    event.textContent = answer.event;
    event.hidden = !answer.event;
    for (const old of this.form.querySelectorAll(".live-note")) old.remove();
    for (const one of [...this.form.querySelectorAll("[data-place][aria-invalid]")]) one.removeAttribute("aria-invalid");
    answer.notes.forEach((note) => this.place(note));
  }
  place(note) {
    const [field, index, part] = note.field.split(".");
    const isRow = field === "properties" && index !== undefined;
    const place = isRow ? this.rows.find(Number(index)) : this.form.querySelector(`[data-field=${field}]`);
    const input = place && (isRow ? place.querySelector(part === "name" ? "input" : "[data-place]") : place.querySelector("[data-place]"));
    // What nobody has begun to fill in yet is not wrong.
    if (note.is_problem && !this.isTouched && input && !input.value) return;
    const words = make("p", { class: `live-note ${note.is_problem ? "field-error" : "quiet"}` }, note.message);
    (place || document.getElementById("hook-rows")).append(words);
    if (input && note.is_problem) input.setAttribute("aria-invalid", "true");
  }
}

const trial = document.getElementById("hook-trial");
if (trial) start(trial);

// The rule form: fields that switch with the kind of start, the conditions as rows, the sentence below.
import { Conditions } from "./conditions.js";
import { make } from "./dom.js";
import { Vocabulary } from "./vocabulary.js";

const DEFAULT_AFTER = { session_end: [15, 60], inactivity: [14, 86400], abandonment: [1, 3600] };
const PAUSE = 300;

function start(editor) {
  const form = document.getElementById("rule_form");
  const hidden = form.elements.conditions;
  const vocabulary = new Vocabulary(editor, form);
  const conditions = new Conditions(document.getElementById("conditions"), editor, vocabulary, () => changed());
  const sentence = new Sentence(document.getElementById("rule-sentence"), form);

  const changed = () => {
    hidden.value = JSON.stringify(conditions.read());
    sentence.refreshSoon();
  };
  let filledIn = "";
  const switchFields = () => {
    const kind = form.elements.kind.value;
    const needed = new Set(editor.kind_fields[kind] || []);
    const switched = new Set(Object.values(editor.kind_fields).flat());
    for (const place of form.querySelectorAll("[data-field]")) {
      if (switched.has(place.dataset.field)) place.hidden = !needed.has(place.dataset.field);
    }
    form.querySelector("[data-field=reentry_after]").hidden = form.elements.reentry.value !== "after";
    const [number, unit] = [form.elements.after_number, form.elements.after_unit];
    // Another kind brings another usual span, unless somebody has typed one.
    const isOwn = number.value && `${number.value} ${unit.value}` !== filledIn;
    if (DEFAULT_AFTER[kind] && !isOwn) {
      [number.value, unit.value] = DEFAULT_AFTER[kind];
      filledIn = DEFAULT_AFTER[kind].join(" ");
    }
    if (form.elements.reentry.value === "after" && !form.elements.reentry_after_number.value) {
      [form.elements.reentry_after_number.value, form.elements.reentry_after_unit.value] = [1, 86400];
    }
    vocabulary.refresh();
  };

  conditions.show(JSON.parse(hidden.value || "null"));
  const errors = JSON.parse(document.getElementById("rule-condition-errors").textContent || "[]") || [];
  if (conditions.placeErrors(errors)) for (const one of form.querySelectorAll(".unplaced")) one.remove();
  form.addEventListener("input", (event) => {
    if (event.target.name === "kind" || event.target.name === "reentry") switchFields();
    else if (event.target.getAttribute("list") === "rule-events") vocabulary.refresh();
    changed();
  });
  form.addEventListener("submit", () => (hidden.value = JSON.stringify(conditions.read())));
  switchFields();
  changed();
}

class Sentence {
  constructor(place, form) {
    Object.assign(this, { place, form, timer: 0, number: 0 });
  }
  refreshSoon() {
    clearTimeout(this.timer);
    this.timer = setTimeout(() => this.refresh(), PAUSE);
  }
  async refresh() {
    const number = ++this.number;
    const response = await fetch(this.place.dataset.describe, { method: "POST", body: new FormData(this.form) });
    // An answer to an older question must not replace that to a newer one.
    if (number !== this.number) return;
    if (!response.ok) return this.say("The sentence could not be made just now.", false);
    const answer = await response.json();
    if (answer.sentence) this.say(answer.sentence, true);
    else this.say(`Not complete yet: ${answer.missing[0] || "go on."}`, false);
  }
  say(words, isComplete) {
    if (this.words !== words) {
      // Names of events and properties stand in backticks.
      const parts = words.split("`").map((part, index) => (index % 2 ? make("code", {}, part) : part));
      this.place.replaceChildren(...parts);
      this.words = words;
    }
    this.place.classList.toggle("incomplete", !isComplete);
  }
}

const source = document.getElementById("rule-editor-data");
if (source) start(JSON.parse(source.textContent));

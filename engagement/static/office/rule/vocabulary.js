// The names that were seen, offered where a name is typed. Anything else may be typed as well.
export class Vocabulary {
  constructor(editor, form) {
    this.words = editor.vocabulary;
    this.form = form;
    fill("rule-events", Object.keys(this.words.events));
    fill("rule-traits", this.words.traits);
  }
  // The properties of the event on which the conditions are tested.
  refresh() {
    fill("rule-properties", [...new Set(this.listProperties())].sort());
  }
  listProperties() {
    const { elements } = this.form;
    const kind = elements.kind.value;
    const seen = (name) => Object.keys(this.words.events[name] || {});
    if (kind === "event") return seen(elements.event.value);
    const silence = elements.emits.value || { session_end: "session_ended", inactivity: "user_inactive", abandonment: "cart_abandonment" }[kind];
    const derived = [...seen(silence), ...(this.words.derived[kind] || [])];
    if (kind !== "abandonment") return derived;
    const started = seen(elements.started_by.value);
    return [...started, ...started.map((path) => `items[].${path}`), ...derived];
  }
}

function fill(id, names) {
  const options = names.map((name) => {
    const option = document.createElement("option");
    option.value = name;
    return option;
  });
  document.getElementById(id).replaceChildren(...options);
}

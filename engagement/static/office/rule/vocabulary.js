// The names that were seen, offered where a name is typed. Anything else may be typed as well.
export class Vocabulary {
  constructor(editor, form) {
    this.words = editor.vocabulary;
    this.valuesUrl = editor.values_url;
    this.seen = new Map();
    this.form = form;
    fill("rule-events", Object.keys(this.words.events));
    fill("rule-traits", this.words.traits);
  }
  // The properties of the event on which the conditions are tested, each with what it is.
  refresh() {
    const names = [...new Set(this.listProperties())].sort();
    fill("rule-properties", names, (name) => describe(this.find(name)));
  }
  // The values that a property may have by its schema; else those that it has had.
  async offerValues(path) {
    const own = path.replace(/^items\[\]\./, "");
    let values = this.find(path)?.values || [];
    if (!values.length) {
      const seen = await Promise.all(this.listEvents().map((name) => this.loadValues(name)));
      values = seen.map((properties) => properties[path] || properties[own]).find(Boolean) || [];
    }
    fill("rule-values", values.filter((value) => value !== null && typeof value !== "object").map(String));
  }
  loadValues(name) {
    if (!this.seen.has(name)) {
      const asked = fetch(`${this.valuesUrl}?${new URLSearchParams({ event: name })}`);
      this.seen.set(name, asked.then((answer) => (answer.ok ? answer.json() : {})).catch(() => ({})));
    }
    return this.seen.get(name);
  }
  listEvents() {
    const { elements } = this.form;
    return [elements.event.value, elements.started_by.value].filter((name) => name in this.words.events);
  }
  // What is known of a property, of whichever event it comes from; the items of a cart are those of its first event.
  find(path) {
    const own = path.replace(/^items\[\]\./, "");
    const known = this.listEvents().map((name) => this.words.events[name]);
    return known.map((properties) => properties[path] || properties[own]).find(Boolean);
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

function describe(property) {
  return property ? [property.title, property.kinds.join(" or ")].filter(Boolean).join(", ") : "";
}

function fill(id, names, label = () => "") {
  const options = names.map((name) => {
    const option = document.createElement("option");
    option.value = name;
    const words = label(name);
    if (words) option.label = `${name} (${words})`;
    return option;
  });
  document.getElementById(id).replaceChildren(...options);
}

// Building elements, and nothing else.
export function make(tag, attributes = {}, ...children) {
  const element = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) {
    if (name.startsWith("on")) element.addEventListener(name.slice(2), value);
    else if (value === true) element.setAttribute(name, "");
    else if (value !== false && value != null) element.setAttribute(name, value);
  }
  element.append(...children);
  return element;
}

export function choose(label, options, chosen, attributes = {}) {
  const select = make("select", { "aria-label": label, ...attributes });
  for (const [value, words, group] of options) {
    const option = new Option(words, value, false, String(value) === String(chosen));
    if (!group) select.append(option);
    else findGroup(select, group).append(option);
  }
  return select;
}

function findGroup(select, label) {
  const groups = [...select.querySelectorAll("optgroup")];
  let group = groups.find((one) => one.label === label);
  if (!group) select.append((group = make("optgroup", { label })));
  return group;
}

export function press(words, action, attributes = {}) {
  return make("button", { type: "button", class: "office-button small", onclick: action, ...attributes }, words);
}

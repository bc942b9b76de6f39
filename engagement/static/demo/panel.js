// The panel beside the shop: asks for this visitor's timeline and counts down to what comes next.
const POLL = 1000;
const MARKS = {
  event: "M7 12h10M13 8l4 4-4 4",
  silence: "M8 7v10M16 7v10",
  decision: "M6 12l4 4 8-9",
  message: "M4 7h16v10H4zM4 8l8 5 8-5",
};
const find = (id) => document.getElementById(id);
const clock = new Intl.DateTimeFormat([], { hour: "2-digit", minute: "2-digit", second: "2-digit" });
const seen = new Set();
let skew = 0;
let waits = [];
let isFirst = true;
let shownMail = null;

function make(tag, className, text) {
  const node = document.createElement(tag);
  if (className) node.className = className;
  if (text) node.textContent = text;
  return node;
}

// Names of events and properties stand in backticks in the platform's sentences.
function say(tag, className, sentence) {
  const node = make(tag, className);
  node.append(...sentence.split("`").map((part, index) => (index % 2 ? make("code", "", part) : part)));
  return node;
}

function makeMark(kind) {
  const mark = make("span", "entry-mark");
  mark.setAttribute("aria-hidden", "true");
  const drawing = document.createElementNS("http://www.w3.org/2000/svg", "svg");
  drawing.setAttribute("viewBox", "0 0 24 24");
  const line = document.createElementNS("http://www.w3.org/2000/svg", "path");
  line.setAttribute("d", MARKS[kind] ?? MARKS.event);
  drawing.append(line);
  mark.append(drawing);
  return mark;
}

function makeEntry(entry) {
  const row = make("li", `entry is-${entry.kind}`);
  row.dataset.kind = entry.kind;
  row.dataset.state = entry.state;
  if (entry.state === "accepted") row.classList.add("is-sent");
  if (!isFirst && !seen.has(entry.id)) row.classList.add("is-new");
  seen.add(entry.id);
  const text = make("div");
  text.append(say("p", "entry-title", entry.title));
  if (entry.link) {
    const link = make("a", "entry-detail", entry.detail || "Read it");
    link.href = entry.link;
    text.append(link);
  } else if (entry.detail) {
    text.append(say("p", "entry-detail", entry.detail));
  }
  const meta = make("p", "entry-meta");
  const time = make("time", "", clock.format(new Date(entry.at)));
  time.dateTime = entry.at;
  meta.append(time);
  if (entry.code) meta.append(make("code", "", entry.code));
  text.append(meta);
  row.append(makeMark(entry.kind), text);
  return row;
}

function showEntries(entries) {
  const list = find("entries");
  const written = JSON.stringify(entries);
  if (list.dataset.written === written) return;
  list.dataset.written = written;
  const none = make("li", "entry-none", "Nothing yet: the page is about to report its first event.");
  list.replaceChildren(...(entries.length ? entries.map(makeEntry) : [none]));
}

function showMail(entries) {
  const newest = entries.find((entry) => entry.state === "accepted" && entry.link);
  const banner = find("mail-banner");
  banner.hidden = !newest;
  if (!newest || newest.id === shownMail) return;
  banner.href = newest.link;
  find("mail-subject").textContent = newest.detail;
  if (!isFirst) find("mail-said").textContent = `You have mail: ${newest.detail}`;
  shownMail = newest.id;
}

function makeWait(wait) {
  const row = make("li", wait.is_message ? "wait is-message" : "wait");
  const left = make("b");
  row.append(`${wait.before} `, left, " ", say("span", "", `${wait.after}.`));
  const meter = make("div", "meter");
  const bar = make("i");
  meter.append(bar);
  if (wait.is_message) row.append(meter);
  const known = waits.find((one) => one.id === wait.id && one.at === wait.at);
  const whole = known?.whole ?? Math.max(1, Date.parse(wait.at) - (Date.now() + skew));
  return { ...wait, row, left, bar, whole };
}

function describeLeft(milliseconds) {
  const seconds = Math.ceil(milliseconds / 1000);
  if (seconds <= 0) return "any moment";
  if (seconds < 120) return `in ${seconds} s`;
  return seconds < 7200 ? `in ${Math.round(seconds / 60)} min` : `in ${Math.round(seconds / 3600)} h`;
}

function countDown() {
  for (const wait of waits) {
    const left = Date.parse(wait.at) - (Date.now() + skew);
    wait.left.textContent = describeLeft(left);
    wait.bar.style.transform = `scaleX(${Math.max(0, Math.min(1, left / wait.whole))})`;
  }
}

function show(timeline) {
  skew = Date.parse(timeline.now) - Date.now();
  find("panel-who").textContent = timeline.address ? `You are ${timeline.address}` : "You are an anonymous visitor";
  showMail(timeline.entries);
  showEntries(timeline.entries);
  waits = timeline.upcoming.map(makeWait);
  find("upcoming").replaceChildren(...waits.map((wait) => wait.row));
  countDown();
  isFirst = false;
}

async function poll() {
  try {
    const answer = await fetch(find("panel").dataset.timeline, { cache: "no-store" });
    if (answer.ok) show(await answer.json());
    find("panel-lost").hidden = answer.ok;
  } catch {
    find("panel-lost").hidden = false;
  }
  setTimeout(poll, document.hidden ? 5 * POLL : POLL);
}

export function startPanel() {
  document.addEventListener("sent", ({ detail }) => {
    const { path, body } = detail;
    find("last-request").textContent =
      `fetch('${path}', {\n  method: 'POST',\n  headers: {'Content-Type': 'application/json'},\n` +
      `  body: JSON.stringify(${JSON.stringify(body, null, 2).replaceAll("\n", "\n  ")})\n})`;
  });
  setInterval(countDown, 250);
  setTimeout(poll, 300);
}

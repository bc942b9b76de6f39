// Keeps the list fresh: asks for it, and shows it when it has changed, without losing the reader's place.
const POLL = 2000;
const mails = document.getElementById("mails");
const said = document.getElementById("mails-said");

const readKeys = (root) => [...root.querySelectorAll("[data-key]")].map((row) => row.dataset.key);

function showList(html) {
  const known = new Set(readKeys(mails));
  const next = new DOMParser().parseFromString(html, "text/html").body;
  const keys = readKeys(next);
  if (keys.length === known.size && keys.every((key) => known.has(key))) return;
  const marked = new Set([...mails.querySelectorAll(".is-new")].map((row) => row.dataset.key));
  const focused = document.activeElement?.dataset?.key;
  mails.replaceChildren(...next.childNodes);
  const fresh = keys.filter((key) => !known.has(key));
  for (const row of mails.querySelectorAll("[data-key]")) {
    if (!known.has(row.dataset.key) || marked.has(row.dataset.key)) row.classList.add("is-new");
    if (row.dataset.key === focused) row.focus({ preventScroll: true });
  }
  if (fresh.length) said.textContent = fresh.length === 1 ? "A new mail has arrived." : `${fresh.length} new mails have arrived.`;
}

async function poll() {
  const query = new URLSearchParams({ selected: mails.dataset.selected });
  try {
    const answer = await fetch(`${mails.dataset.list}?${query}`, { cache: "no-store" });
    if (answer.ok) showList(await answer.text());
  } catch {
    // The platform is stopped; the next try may find it again.
  }
  setTimeout(poll, document.hidden ? 5 * POLL : POLL);
}

if (mails) setTimeout(poll, POLL);

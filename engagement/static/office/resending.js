// How far sending again has come: asked once a second until it is done.
const card = document.querySelector("[data-resending]");
const put = (name, words) => (card.querySelector(`[data-${name}]`).textContent = words);

async function ask() {
  const answer = await fetch(card.dataset.resending);
  if (!answer.ok) return;
  const state = await answer.json();
  card.querySelector("progress").value = state.sent + state.left;
  put("sent", state.sent.toLocaleString("en"));
  put("left", state.left.toLocaleString("en"));
  if (state.first_problem) put("problem", `The first that was not taken: ${state.first_problem}`);
  if (state.is_done) put("state", "Done.");
  else setTimeout(ask, 1000);
}
if (card && !card.querySelector("[data-state]").textContent.startsWith("Done")) setTimeout(ask, 500);

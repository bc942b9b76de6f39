// Trying a template: the words on the page, filled in for a person and an event.
const trial = document.getElementById("trial");
if (trial) start(trial);

function start(trial) {
  const form = document.getElementById(trial.dataset.form);
  const [person, events, address] = ["person", "event_id", "address"].map((name) => trial.querySelector(`[name=${name}]`));
  const says = trial.querySelector(".trial-says");

  const offer = async () => {
    const answer = await (await fetch(`${trial.dataset.events}?person=${encodeURIComponent(person.value)}`)).json();
    events.replaceChildren(...answer.events.map(([id, words]) => new Option(words, id)));
    if (person.value && !answer.found) say("Nobody is known under this user id or e-mail address.", true);
    else if (answer.found && !answer.events.length) say("This person has no event to speak of.", true);
    else say("");
  };
  const say = (words, isBad = false) => {
    says.textContent = words;
    says.className = words ? `trial-says notice ${isBad ? "warning" : "good"}` : "trial-says";
  };
  const ask = async (address_) => {
    const body = new FormData(form);
    body.set("person", person.value);
    body.set("event_id", events.value);
    body.set("address", address.value);
    const response = await fetch(address_, { method: "POST", body });
    if (!response.ok) return { problem: "This could not be tried just now." };
    return response.json();
  };

  person.addEventListener("change", offer);
  trial.querySelector("[data-do=preview]").addEventListener("click", async () => {
    const answer = await ask(trial.dataset.preview);
    const preview = trial.querySelector(".trial-preview");
    preview.hidden = Boolean(answer.problem);
    say(answer.problem || "", true);
    if (answer.problem) return;
    preview.querySelector(".trial-subject").textContent = answer.subject;
    preview.querySelector("iframe").srcdoc = answer.html;
    preview.querySelector("pre").textContent = answer.text;
  });
  trial.querySelector("[data-do=send]").addEventListener("click", async () => {
    say("Sending…");
    const answer = await ask(trial.dataset.send);
    say(answer.problem || answer.done, Boolean(answer.problem));
  });
  if (person.value) offer();
}

// What the shop reports. A queue sends one event after the other, so that they arrive in the order they happened, and
// a message id makes sending again harmless.
const PAUSES = [0, 400, 1500, 4000];
let last = Promise.resolve();

async function post(path, body) {
  document.dispatchEvent(new CustomEvent("sent", { detail: { path, body } }));
  for (const pause of PAUSES) {
    await new Promise((resolve) => setTimeout(resolve, pause));
    try {
      const answer = await fetch(path, {
        method: "POST",
        headers: { "Content-Type": "application/json" },
        body: JSON.stringify(body),
        keepalive: true,
      });
      if (answer.status < 500) return;
    } catch {
      // No answer: the event may have been taken, and its message id makes a second one harmless.
    }
  }
}

function queue(path, body) {
  const stamped = { ...body, message_id: crypto.randomUUID(), timestamp: new Date().toISOString() };
  last = last.then(() => post(path, stamped));
  return last;
}

export function track(event, properties, userId) {
  return queue("/track-event", userId ? { event, ...properties, user_id: userId } : { event, ...properties });
}

export function identify(userId, traits) {
  return queue("/v1/identify", { user_id: userId, traits });
}

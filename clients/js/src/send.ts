// From the queue to the platform: in order, one request at a time, until each event has its answer.
import { alone, leave as leaveLock, renew } from "./lock";
import { countLost, fill, isOwn, listKeys, remove } from "./queue";
import { forget, isVolatile, read, write } from "./storage";

// What the platform has no room for at the moment is the one refusal that is not final.
const FULL = "quarantine_full";
const WAIT = "ea_wait";
const DELAY_MS = 500;
const BUSY_MS = 1_000;
const TIMEOUT_MS = 30_000;
const FIRST_PAUSE_MS = 1_000;
const LONGEST_PAUSE_MS = 300_000;
const LONGEST_WAIT_MS = 86_400_000;

interface Result {
  index: number;
  outcome: string;
  code?: string;
  field?: string;
  message?: string;
}

export interface Sender {
  /** Send soon, together with what is reported meanwhile. */
  wake(): void;
  flush(): Promise<void>;
}

export function createSender(url: string, mayReport: () => boolean): Sender {
  const inFlight = new Set<string>();
  const outlives = "keepalive" in Request.prototype;
  let draining: Promise<void> | undefined;
  let timer = 0;
  let timerAt = Infinity;
  let failures = 0;
  // The network's pauses are this page's own; the platform's hold for all tabs, and for the next page.
  let networkWait = 0;

  function schedule(pause: number): void {
    const at = Date.now() + pause;
    if (at >= timerAt) return;
    clearTimeout(timer);
    timerAt = at;
    timer = window.setTimeout(() => {
      timerAt = Infinity;
      flush();
    }, pause);
  }

  function findWait(): number {
    const told = +(read(WAIT) || 0) - Date.now();
    return Math.max(networkWait - Date.now(), told > LONGEST_WAIT_MS ? 0 : told);
  }

  function flush(): Promise<void> {
    return (draining ||= alone(sendAll)
      .catch(() => false)
      .then((isDone) => {
        draining = undefined;
        if (listKeys().length) schedule(Math.max(findWait(), isDone ? DELAY_MS : BUSY_MS));
      }));
  }

  async function sendAll(): Promise<void> {
    for (;;) {
      if (!mayReport() || findWait() > 0) return;
      const keys = listKeys().filter((key) => !inFlight.has(key));
      if (!keys.length) return;
      renew();
      if (!(await deliver(keys))) return;
    }
  }

  /** Send the first of these events. False: they wait for another try. */
  async function deliver(listed: string[]): Promise<boolean> {
    if (!navigator.onLine) return pause(true);
    const { keys, body } = fill(listed);
    if (!keys.length) return true;
    keys.forEach((key) => inFlight.add(key));
    const stop = new AbortController();
    const limit = setTimeout(() => stop.abort(), TIMEOUT_MS);
    try {
      // Plain text, no header and no cookie: a request that a browser sends to another site without asking first.
      const answer = await fetch(url, {
        method: "POST",
        body,
        keepalive: true,
        credentials: "omit",
        signal: stop.signal,
      });
      return await settle(answer, keys);
    } catch {
      return pause(true);
    } finally {
      clearTimeout(limit);
      keys.forEach((key) => inFlight.delete(key));
    }
  }

  /** Remove what was answered. The platform says of each event whether it was taken; a refusal is final. */
  async function settle(answer: Response, keys: string[]): Promise<boolean> {
    const { status } = answer;
    if (status >= 500 || status == 408 || status == 429) return pause(false, answer.headers.get("Retry-After"));
    const told: any = await answer.json().catch(() => 0);
    const results: Result[] | undefined = told?.results;
    if (!results && answer.ok) return pause(false);
    const answered = results ? results.filter((result) => result.code != FULL).map(({ index }) => keys[index]!) : keys;
    remove(answered);
    if (results && answered.length < keys.length) return pause(false);
    if (!results) countLost(keys.length);
    for (const result of results || [told]) {
      if (result.outcome != "accepted") console.warn("[engagement]", status, result.code, result.field, result.message);
    }
    failures = networkWait = 0;
    forget(WAIT);
    return true;
  }

  function pause(isNetwork: boolean, retryAfter?: string | null): false {
    const grown = Math.min(FIRST_PAUSE_MS * 2 ** failures++, LONGEST_PAUSE_MS);
    const told = retryAfter ? +retryAfter * 1000 || Date.parse(retryAfter) - Date.now() : 0;
    const until = Date.now() + (told > 0 ? Math.min(told, LONGEST_WAIT_MS) : grown * (0.5 + Math.random() / 2));
    if (isNetwork) networkWait = until;
    else write(WAIT, `${until}`);
    return false;
  }

  /** The page goes: send what it has made and no request carries, without waiting for the other tabs. */
  function leave(): void {
    leaveLock();
    if (!mayReport()) return;
    const isEarly = findWait() > 0;
    const keys = listKeys().filter(
      (key) => isOwn(key) && !(outlives && inFlight.has(key)) && !(isEarly && !isVolatile(key)),
    );
    if (!keys.length) return;
    if (outlives) {
      deliver(keys);
      return;
    }
    // A beacon has no answer: what is stored is sent again by the next page, with the same ids.
    const { keys: taken, body } = fill(keys);
    if (navigator.sendBeacon(url, body)) remove(taken.filter(isVolatile));
  }

  addEventListener("online", () => {
    failures = networkWait = 0;
    flush();
  });
  addEventListener("pagehide", leave);
  document.addEventListener("visibilitychange", () => {
    // On a phone nothing may follow this.
    if (document.visibilityState == "hidden" && outlives) flush();
  });
  if (listKeys().length) schedule(0);

  return { wake: () => schedule(Math.max(DELAY_MS, findWait())), flush };
}

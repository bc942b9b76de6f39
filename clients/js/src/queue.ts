// What waits to be sent: a stored text for each event, so that tabs add and remove without overwriting each other.
import { drawId } from "./random";
import { forget, list, read, write } from "./storage";

const PREFIX = "ea_queue.";
const LOST = "ea_lost";
const MOST_EVENTS = 1000;
const MOST_TEXT = 1_000_000;
const MOST_BYTES = 32_000;
// What outlives its page may hold 64 KB.
const BATCH_BYTES = 50_000;
const BATCH_EVENTS = 100;

export type Item = Record<string, unknown> & { context: Record<string, unknown> };

const tab = drawId().slice(-8);
let last = 0;

/** Keys in the order in which the events happened. */
export const listKeys = (): string[] => list(PREFIX);

/** Whether this page has made the event. */
export const isOwn = (key: string): boolean => key.endsWith(tab);

/** Keep an event until it is answered. Where there are too many the oldest go, and the next event says how many. */
export function add(item: Item): void {
  const length = measure(item);
  makeRoom(length);
  const lost = readLost();
  if (lost) item.context.lost_events = lost;
  last = Math.max(Date.now(), last + 1);
  write(`${PREFIX}${last}.${tab}`, encode(item));
  forget(LOST);
}

export const remove = (keys: string[]): void => keys.forEach(forget);

export const countLost = (number: number): void => write(LOST, `${readLost() + number}`);

/** Take the first of these events that fit into a request. Returns their keys and the body. */
export function fill(keys: string[]): { keys: string[]; body: string } {
  const taken: string[] = [];
  const texts: string[] = [];
  let bytes = 0;
  for (const key of keys) {
    const text = read(key);
    // Another tab may have sent it since the keys were listed.
    if (!text) continue;
    bytes += countBytes(text);
    if (taken.length && (bytes > BATCH_BYTES || taken.length == BATCH_EVENTS)) break;
    taken.push(key);
    texts.push(text);
  }
  return { keys: taken, body: `{"sent_at":"${new Date().toISOString()}","events":[${texts}]}` };
}

const readLost = (): number => +(read(LOST) || 0);

function measure(item: Item): number {
  const text = encode(item);
  if (countBytes(text) > MOST_BYTES) throw `an event holds at most ${MOST_BYTES} bytes`;
  return text.length;
}

function makeRoom(length: number): void {
  const keys = listKeys();
  const texts = keys.map((key) => read(key) || "");
  let total = texts.reduce((sum, text) => sum + text.length, length);
  for (let left = keys.length; left >= MOST_EVENTS || (left && total > MOST_TEXT); left--) {
    const text = texts.shift()!;
    total -= text.length;
    forget(keys.shift()!);
    // What it had to say of others that were lost is said by the next.
    countLost(1 + +(/"lost_events":(\d+)/.exec(text)?.[1] || 0));
  }
}

const countBytes = (text: string): number => new Blob([text]).size;
const encode = (item: Item): string => JSON.stringify(item, clean);

/** Half a surrogate pair or U+0000, which no database takes, would have the event refused. */
const clean = (_: string, value: unknown): unknown =>
  typeof value == "string" ? (value.toWellFormed?.() ?? value).replace(/\0/g, "") : value;

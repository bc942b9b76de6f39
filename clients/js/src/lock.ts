// One tab sends at a time. Web Locks exist on https pages only; elsewhere a lease in localStorage stands in.
import { drawId } from "./random";
import { forget, isShared, read, write } from "./storage";

const NAME = "ea_lease";
// Longer than a request may take.
const LEASE_MS = 40_000;
// Longer than a write needs to reach another tab, which may be another process with a copy of its own.
const SETTLE_MS = 80;

const me = drawId();

/** Carry out the task while no other tab carries out its own. False: another one is at it, try later. */
export async function alone(task: () => Promise<void>): Promise<boolean> {
  const settled = () => task().then(settle);
  if (!isShared) await task();
  else if (navigator.locks) await navigator.locks.request("ea_queue", settled);
  else if (!(await takeLease())) return false;
  else await settled().finally(leave);
  return true;
}

/** Give back a lease: the page goes, and the next one need not wait for its end. */
export function leave(): void {
  if (read(NAME)?.startsWith(me)) forget(NAME);
}

/** Keep a lease for one more request. */
export function renew(): void {
  if (!navigator.locks && isShared) write(NAME, `${me} ${Date.now() + LEASE_MS}`);
}

async function takeLease(): Promise<boolean> {
  const [owner, end] = (read(NAME) || "").split(" ");
  const wait = +(end || 0) - Date.now();
  // A lease that ends too far ahead was made by a clock that has been set back since.
  if (owner != me && wait > 0 && wait <= LEASE_MS) return false;
  renew();
  await settle();
  return !!read(NAME)?.startsWith(me);
}

/** Let the other tabs see what was written. The length differs, so that of two leases written at once one stands. */
const settle = (): Promise<void> => new Promise((done) => setTimeout(done, SETTLE_MS * (1 + Math.random())));

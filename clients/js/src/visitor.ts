// Who is at the browser, in which session, and whether anything may be reported.
import { listKeys, remove } from "./queue";
import { drawId } from "./random";
import { forget, read, write } from "./storage";

const ANONYMOUS = "ea_anonymous";
const USER = "ea_user";
const SESSION = "ea_session";
const CONSENT = "ea_consent";
const SESSION_MS = 30 * 60_000;

/** Returns the id of this browser, drawn at first use. */
export function findAnonymousId(): string {
  const found = read(ANONYMOUS) || drawId();
  write(ANONYMOUS, found, true);
  return found;
}

/** Returns the session's id; half an hour of silence ends a session. */
export function findSession(): string {
  const [id, seen] = (read(SESSION) || "").split(".");
  const silence = Date.now() - +(seen || 0);
  const session = id && silence < SESSION_MS ? id : drawId();
  write(SESSION, `${session}.${Date.now()}`, true);
  return session;
}

/** Returns `{user_id, user_hash}` as far as they are known. */
export function findUser(): Record<string, string> {
  return JSON.parse(read(USER) || "{}");
}

/** Another person at the same browser gets an id of their own: nothing of the one before is theirs. */
export function setUser(id: string, hash?: string): void {
  const known = findUser();
  const isSame = known.user_id == id;
  if (known.user_id && !isSame) forgetVisitor();
  write(USER, JSON.stringify({ user_id: id, user_hash: hash || (isSame ? known.user_hash : undefined) }), true);
}

export const forgetVisitor = (): void => [ANONYMOUS, USER, SESSION].forEach(forget);

export function setConsent(isGiven: boolean): void {
  write(CONSENT, isGiven ? "1" : "0", true);
  if (!isGiven) {
    forgetVisitor();
    remove(listKeys());
  }
}

/** Returns what the person has said, or null. */
export function readConsent(): boolean | null {
  const said = read(CONSENT);
  return said ? said == "1" : null;
}

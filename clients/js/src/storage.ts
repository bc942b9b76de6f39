// Where things are kept: localStorage, else a cookie for what is small, else memory for as long as the page lives.
const memory: Record<string, string> = {};
const YEAR = 31_536_000;

function findLocal(): Storage | undefined {
  try {
    const found = window.localStorage;
    // One that is full is read all the same: it knows what the person said of consent.
    found.getItem("");
    return found;
  } catch {
    // Blocked or absent.
  }
}

const local = findLocal();

/** Whether other tabs see what is kept here. */
export const isShared = !!local;

export function read(name: string): string | null {
  return memory[name] ?? local?.getItem(name) ?? readCookie(name);
}

/** Keep a text. With `isSmall` a cookie stands in where localStorage does not take it. */
export function write(name: string, value: string, isSmall?: boolean): void {
  try {
    local!.setItem(name, value);
    delete memory[name];
  } catch {
    // What was kept before would be read instead by the next page.
    forget(name);
    memory[name] = value;
    if (isSmall) writeCookie(name, value, YEAR);
  }
}

export function forget(name: string): void {
  delete memory[name];
  local?.removeItem(name);
  if (readCookie(name)) writeCookie(name, "", 0);
}

/** The names that begin so, in order. */
export function list(prefix: string): string[] {
  const names = Object.keys(memory).concat(local ? Object.keys(local) : []);
  return names.filter((name) => name.startsWith(prefix)).sort();
}

/** Whether a text is gone when the page is. */
export const isVolatile = (name: string): boolean => name in memory;

function readCookie(name: string): string | null {
  try {
    const found = document.cookie.match(`(?:^|; )${name}=([^;]*)`);
    return found && decodeURIComponent(found[1]!);
  } catch {
    return null;
  }
}

function writeCookie(name: string, value: string, seconds: number): void {
  try {
    const secure = location.protocol == "https:" ? ";secure" : "";
    document.cookie = `${name}=${encodeURIComponent(value)};path=/;samesite=lax;max-age=${seconds}${secure}`;
  } catch {
    // A sandboxed frame has no cookies either.
  }
}

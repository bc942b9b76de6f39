// Where things are kept: localStorage, else a cookie for what is small, else memory for as long as the page lives.
const memory: Record<string, string> = {};
const YEAR = 31_536_000;

function findLocal(): Storage | undefined {
  try {
    const found = window.localStorage;
    found.setItem("ea_test", "1");
    found.removeItem("ea_test");
    return found;
  } catch {
    // Blocked, full or absent.
  }
}

const local = findLocal();

/** Whether other tabs see what is kept here. */
export const isShared = !!local;

export function read(name: string): string | null {
  return memory[name] ?? (local ? local.getItem(name) : readCookie(name));
}

/** Keep a text. With `isSmall` a cookie stands in where there is no localStorage. */
export function write(name: string, value: string, isSmall?: boolean): void {
  try {
    local!.setItem(name, value);
    delete memory[name];
  } catch {
    memory[name] = value;
    if (isSmall) writeCookie(name, value, YEAR);
  }
}

export function forget(name: string): void {
  delete memory[name];
  if (local) local.removeItem(name);
  else if (readCookie(name)) writeCookie(name, "", 0);
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

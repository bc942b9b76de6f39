// The page that is looked at: where it is, what led there, and when it becomes another.

/** Returns the page's address without its fragment, which may hold what nobody else should see. */
export const findUrl = (): string => location.origin + location.pathname + location.search;

/** Returns the `utm_` parameters of the address, or undefined. */
export function findCampaign(): Record<string, string> | undefined {
  const found: Record<string, string> = {};
  new URLSearchParams(location.search).forEach((value, name) => {
    if (name.startsWith("utm_")) found[name == "utm_campaign" ? "name" : name.slice(4)] = value;
  });
  return Object.keys(found).length ? found : undefined;
}

/** Call `view` for the page that is shown now and for each that follows, with the address of the one before. */
export function watchPages(view: (previous: string) => void): void {
  let shown = "";
  // A router sets the title just after the address.
  const look = () => setTimeout(() => {
    const previous = shown;
    shown = findUrl();
    if (shown != previous) view(previous);
  });
  const push = history.pushState;
  history.pushState = function (...change) {
    push.apply(this, change);
    look();
  };
  addEventListener("popstate", look);
  addEventListener("pageshow", (event) => {
    // Back by the browser's cache: nothing was loaded, and yet it is looked at once more.
    if (event.persisted) {
      shown = "";
      look();
    }
  });
  // A page that is made ready before anybody asks for it has not been viewed.
  if ((document as any).prerendering) document.addEventListener("prerenderingchange", look);
  else look();
}

/** What may stand in an event: whatever JSON can say. */
export type Properties = Record<string, unknown>;

export interface Options {
  /** The source's public key, `wk_…`. Without one the page's origin says which source it is. */
  key?: string;
  /** Where the platform answers, such as `https://events.shop.example`. */
  host: string;
  /** Report `page_viewed` by itself: now, and whenever the page's address changes. Off by default. */
  pageViews?: boolean;
  /** Be silent for people whose browser says Do Not Track. Off by default. */
  respectDnt?: boolean;
  /** Be silent for people whose browser says Global Privacy Control. Off by default. */
  respectGpc?: boolean;
  /** Be silent until `optIn()`: for pages that have to ask first. Off by default. */
  optedOut?: boolean;
}

export interface TrackOptions {
  /** Circumstances rather than properties; added to those that are known. */
  context?: Properties;
}

export interface IdentifyOptions {
  /** The signed hash of the user id, made by your server, where the source demands it. */
  userHash?: string;
}

export type Call =
  | ["track", string, Properties?, TrackOptions?]
  | ["identify", string | number, Properties?, IdentifyOptions?]
  | ["page", Properties?]
  | ["reset"]
  | ["optIn"]
  | ["optOut"]
  | ((tracker: Tracker) => void);

/** Nothing here throws: what is wrong is written on the console, and the page goes on. */
export interface Tracker {
  /** Report that something happened. It is kept until the platform has answered. */
  track(event: string, properties?: Properties, options?: TrackOptions): void;
  /** Say who this is; everything from now on is reported as theirs. */
  identify(userId: string | number, traits?: Properties, options?: IdentifyOptions): void;
  /** Report `page_viewed` with the page's address, title and referrer; `properties` are added, or replace them. */
  page(properties?: Properties): void;
  /** Forget who this is: at sign-out. What was reported and not yet sent is still sent. */
  reset(): void;
  /** Allow reporting, whatever the browser's signals say. Kept. */
  optIn(): void;
  /** Report nothing from now on, and forget the ids and what was not sent yet. Kept. */
  optOut(): void;
  /** The id of this browser, for a server that reports on its behalf; null while it is silent. */
  anonymousId(): string | null;
  /** Send what waits now; fulfilled when it was answered, or has to be tried again later. */
  flush(): Promise<void>;
  /** Carry out a call by name, or call a function with the tracker: how calls wait for the script to load. */
  push(call: Call): void;
  readonly version: string;
}

/** Make a page's tracker. One a page is enough; all tabs of a site share ids and what waits to be sent. */
export function createTracker(options: Options): Tracker;

declare global {
  interface Window {
    /** Set by `tracker.js`; before it has loaded, a list that keeps calls. */
    engagement: Tracker;
  }
}

import type { Call, IdentifyOptions, Options, Properties, Tracker, TrackOptions } from "../tracker";
import { findCampaign, findUrl, watchPages } from "./pages";
import { add } from "./queue";
import { drawId } from "./random";
import { createSender } from "./send";
import * as visitor from "./visitor";

declare const VERSION: string;

const LIBRARY = { name: "engagement-tracker", version: VERSION };

export function createTracker(options: Options): Tracker {
  const key = options.key ? `?key=${encodeURIComponent(options.key)}` : "";
  const sender = createSender(`${options.host}/v1/events${key}`, mayReport);

  function mayReport(): boolean {
    const { doNotTrack, globalPrivacyControl } = navigator as any;
    const isSilent =
      options.optedOut || (options.respectDnt && doNotTrack == "1") || (options.respectGpc && globalPrivacyControl);
    return visitor.readConsent() ?? !isSilent;
  }

  function report(told: Properties, more?: TrackOptions): void {
    const context = {
      library: LIBRARY,
      session_id: visitor.findSession(),
      campaign: findCampaign(),
      ...more?.context,
    };
    add({
      ...visitor.findUser(),
      anonymous_id: visitor.findAnonymousId(),
      message_id: drawId(),
      timestamp: new Date().toISOString(),
      ...told,
      context,
    });
    sender.wake();
  }

  function view(properties?: Properties, previous?: string): void {
    const { pathname } = location;
    const page = { url: findUrl(), path: pathname, title: document.title, referrer: previous || document.referrer };
    report({ event: "page_viewed", properties: { ...page, ...properties } });
  }

  /** Whatever goes wrong is told to the page's developer and never to the page. */
  const guard =
    <A extends unknown[], R>(act: (...given: A) => R) =>
    (...given: A): R | undefined => {
      try {
        return act(...given);
      } catch (error) {
        console.warn("[engagement]", error);
      }
    };
  const whenAllowed = <A extends unknown[]>(act: (...given: A) => void) =>
    guard((...given: A) => {
      if (mayReport()) act(...given);
    });

  const tracker = {
    track: whenAllowed((event: string, properties?: Properties, more?: TrackOptions) =>
      report({ event, properties }, more),
    ),
    identify: whenAllowed((userId: string | number, traits?: Properties, more?: IdentifyOptions) => {
      // Of traits alone everybody would become one person, "[object Object]".
      if (typeof userId == "object" || (!userId && userId !== 0)) throw "identify needs a user id";
      visitor.setUser(`${userId}`, more?.userHash);
      report({ traits: traits || {} });
    }),
    page: whenAllowed((properties?: Properties) => view(properties)),
    reset: guard(visitor.forgetVisitor),
    optIn: guard(() => visitor.setConsent(true)),
    optOut: guard(() => visitor.setConsent(false)),
    anonymousId: () => (mayReport() ? visitor.findAnonymousId() : null),
    flush: () => sender.flush(),
    push: guard((call: Call) => {
      if (typeof call == "function") return call(tracker);
      const [name, ...given] = call;
      (tracker[name] as (...given: unknown[]) => void)(...given);
    }),
    version: VERSION,
  } as Tracker;

  if (options.pageViews) watchPages(whenAllowed((previous: string) => view({}, previous)));
  return tracker;
}

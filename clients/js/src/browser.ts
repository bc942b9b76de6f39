// What a page loads: options from the script's own tag, and the calls that were made before it had loaded.
import type { Call, Options } from "../tracker";
import { createTracker } from "./tracker";

const script = document.currentScript as HTMLScriptElement;
const waiting: any = window.engagement;

// A page that loads the script twice has one tracker.
if (!waiting?.version) {
  const { origin, searchParams } = new URL(script.src);
  const told: Record<string, string> = { host: origin, ...Object.fromEntries(searchParams), ...script.dataset };
  const isOn = (name: string) => name in told && told[name] != "false";
  const options: Options = {
    key: told.key,
    host: told.host!,
    pageViews: isOn("pageViews"),
    respectDnt: isOn("respectDnt"),
    respectGpc: isOn("respectGpc"),
    optedOut: isOn("optedOut"),
  };
  const tracker = (window.engagement = createTracker(options));
  if (waiting) waiting.forEach((call: Call) => tracker.push(call));
}

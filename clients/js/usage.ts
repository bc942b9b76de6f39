// Never run: `npm run check` reads it, so that the types allow what the documentation shows, and nothing else.
import { createTracker, type Tracker } from "./tracker";

const tracker: Tracker = createTracker({ key: "wk_1", host: "https://events.shop.example", pageViews: true });
tracker.track("add_to_cart", { product_id: "12345", price: 49 });
tracker.track("purchase", { total: 49 }, { context: { shop: "north" } });
tracker.identify("ada", { email: "ada@example.com" }, { userHash: "5f2a" });
tracker.page({ title: "Lamps" });
tracker.reset();
tracker.optOut();
tracker.optIn();
const id: string | null = tracker.anonymousId();
void tracker.flush().then(() => id);
window.engagement.push(["track", "add_to_cart", { product_id: "12345" }]);
window.engagement.push((ready) => ready.anonymousId());

// @ts-expect-error an event has a name
tracker.track();
// @ts-expect-error the platform is somewhere
createTracker({ key: "wk_1" });
// @ts-expect-error there is no such call
window.engagement.push(["trak", "add_to_cart"]);

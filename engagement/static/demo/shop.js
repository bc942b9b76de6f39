import { addLine, clearCart, countTotal, loadCart, removeLine } from "./cart.js";
import { identify, track } from "./events.js";
import { startPanel } from "./panel.js";

const find = (id) => document.getElementById(id);
const page = find("shop");
let address = page.dataset.address || null;

const report = (event, properties = {}) => track(event, properties, address);

function readProduct(card) {
  return { product_id: card.dataset.id, name: card.dataset.name, price: Number(card.dataset.price) };
}

function findCard(productId) {
  return document.querySelector(`[data-product][data-id="${CSS.escape(productId)}"]`);
}

function makeLine(line) {
  const row = document.createElement("li");
  row.className = "cart-line";
  const picture = findCard(line.product_id)?.querySelector(".picture");
  if (picture) row.append(picture.cloneNode(true));
  const name = Object.assign(document.createElement("span"), { className: "cart-line-name", textContent: line.name });
  const price = Object.assign(document.createElement("span"), { className: "price", textContent: `€${line.price}` });
  const remove = Object.assign(document.createElement("button"), { type: "button", className: "quiet", textContent: "Remove" });
  remove.setAttribute("aria-label", `Remove ${line.name}`);
  remove.addEventListener("click", () => takeOut(line));
  row.append(name, price, remove);
  return row;
}

function showCart() {
  const cart = loadCart();
  find("cart-lines").replaceChildren(...cart.lines.map(makeLine));
  find("cart-empty").hidden = cart.lines.length > 0;
  find("cart-foot").hidden = cart.lines.length === 0;
  find("cart-total").textContent = `€${countTotal(cart)}`;
}

function thank(text) {
  find("thanks").textContent = text;
  find("thanks").hidden = !text;
}

function putIn(product) {
  const cart = addLine(product);
  report("add_to_cart", { ...product, cart_id: cart.id });
  thank("");
  showCart();
}

function takeOut(line) {
  const { cart, isEmpty } = removeLine(line.line);
  report("remove_from_cart", { product_id: line.product_id, name: line.name, price: line.price, cart_id: cart.id });
  if (isEmpty) report("cart_emptied", { cart_id: cart.id });
  showCart();
  (document.querySelector("#cart-lines button") ?? document.querySelector("[data-add]")).focus();
}

function checkOut() {
  const cart = clearCart();
  const total = countTotal(cart);
  report("checkout", { cart_id: cart.id, total });
  report("purchase", { cart_id: cart.id, total, currency: "EUR", count: cart.lines.length });
  showCart();
  thank(`Thank you! You paid €${total} in pretend money.`);
}

function showAccount() {
  find("sign-in").hidden = address !== null;
  find("signed-in").hidden = address === null;
  find("address").textContent = address ?? "";
}

async function signIn(submitted) {
  submitted.preventDefault();
  const form = find("sign-in");
  const error = find("sign-in-error");
  const answer = await fetch(page.dataset.signIn, { method: "POST", body: new FormData(form) }).catch(() => null);
  const told = await answer?.json().catch(() => null);
  const isRefused = !answer?.ok;
  error.textContent = isRefused ? (told?.message ?? "This did not work. Load the page again.") : "";
  error.hidden = !isRefused;
  find("email").setAttribute("aria-invalid", String(isRefused));
  if (isRefused) return find("email").focus();
  address = told.user_id;
  identify(address, { email: told.email });
  report("signed_in");
  showAccount();
  find("sign-out").focus();
}

async function signOut() {
  await report("signed_out");
  await fetch(page.dataset.signOut, { method: "POST", body: new FormData(find("sign-in")) });
  address = null;
  showAccount();
  find("email").value = "";
  find("email").focus();
}

function lookAt(card) {
  const product = readProduct(card);
  find("closer-name").textContent = product.name;
  find("closer-story").textContent = card.querySelector("[data-story]").content.textContent;
  find("closer-price").textContent = `€${product.price}`;
  find("closer-picture").replaceChildren(card.querySelector(".picture").cloneNode(true));
  find("closer-add").onclick = () => {
    find("closer").close();
    putIn(product);
  };
  find("closer").showModal();
  report("product_viewed", product);
}

for (const card of document.querySelectorAll("[data-product]")) {
  card.querySelector("[data-add]").addEventListener("click", () => putIn(readProduct(card)));
  card.querySelector("[data-look]").addEventListener("click", () => lookAt(card));
}
find("closer-close").addEventListener("click", () => find("closer").close());
find("check-out").addEventListener("click", checkOut);
find("sign-in").addEventListener("submit", signIn);
find("sign-out").addEventListener("click", signOut);
// Another tab of the shop has the same cart.
window.addEventListener("storage", showCart);

showCart();
report("page_view", { path: location.pathname, title: document.title });
startPanel();

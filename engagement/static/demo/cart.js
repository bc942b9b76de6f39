// The cart lives in this browser. Its id is drawn with its first line and ends with the purchase, or when it is empty.
const KEY = "demo-cart";

function read() {
  try {
    const cart = JSON.parse(localStorage.getItem(KEY));
    return cart && typeof cart.id === "string" && Array.isArray(cart.lines) ? cart : null;
  } catch {
    return null;
  }
}

function write(cart) {
  if (cart) localStorage.setItem(KEY, JSON.stringify(cart));
  else localStorage.removeItem(KEY);
  return cart;
}

export function loadCart() {
  return read() ?? { id: null, lines: [] };
}

export function addLine(product) {
  const cart = read() ?? { id: crypto.randomUUID(), lines: [] };
  return write({ ...cart, lines: [...cart.lines, { ...product, line: crypto.randomUUID() }] });
}

export function removeLine(line) {
  const cart = loadCart();
  const lines = cart.lines.filter((one) => one.line !== line);
  write(lines.length ? { ...cart, lines } : null);
  return { cart, isEmpty: lines.length === 0 };
}

export function clearCart() {
  const cart = loadCart();
  write(null);
  return cart;
}

export function countTotal(cart) {
  return cart.lines.reduce((sum, line) => sum + line.price, 0);
}

// Buttons with data-copy="id" copy that element's text and say so.
for (const button of document.querySelectorAll("[data-copy]")) {
  const words = button.textContent;
  button.setAttribute("aria-live", "polite");
  button.addEventListener("click", async () => {
    const element = document.getElementById(button.dataset.copy);
    button.textContent = (await copyText(element)) ? "Copied" : "Press Ctrl+C";
    setTimeout(() => (button.textContent = words), 2000);
  });
}

async function copyText(element) {
  try {
    await navigator.clipboard.writeText(element.textContent);
    return true;
  } catch {
    // Without a secure context there is no clipboard: select the text for the keyboard.
    const range = document.createRange();
    range.selectNodeContents(element);
    getSelection().removeAllRanges();
    getSelection().addRange(range);
    return false;
  }
}

// A payload may be long: what has to be mended is scrolled to, within its own frame.
for (const mark of document.querySelectorAll(".payload mark:first-of-type")) {
  const frame = mark.closest(".payload");
  const below = mark.getBoundingClientRect().bottom - frame.getBoundingClientRect().top;
  if (below > frame.clientHeight) frame.scrollTop = below - frame.clientHeight / 2;
}

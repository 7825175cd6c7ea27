// Ctrl+K or ⌘K, on any page and from any field: the same look-up as the desk's box. What is typed leaves the browser when
// Enter posts it, never before, because it may be a code; until then it only narrows the list of pages.
const palette = document.getElementById("palette");
const typed = document.getElementById("palette-typed");
const links = [...palette.querySelectorAll("a")];

const shown = () => links.filter((link) => !link.parentElement.hidden);

function narrow() {
  const wanted = typed.value.trim().toLowerCase();
  for (const link of links) {
    const name = link.lastChild.textContent.trim().toLowerCase();
    link.parentElement.hidden = !name.includes(wanted);
  }
}

document.addEventListener("keydown", (event) => {
  const asks = (event.ctrlKey || event.metaKey) && !event.altKey && !event.shiftKey;
  if (!asks || event.key.toLowerCase() !== "k") return;
  event.preventDefault();
  if (palette.open) palette.close();
  else palette.showModal();
});

palette.addEventListener("keydown", (event) => {
  const step = { ArrowDown: 1, ArrowUp: -1 }[event.key];
  if (!step) return;
  const stops = [typed, ...shown()];
  const next = stops[stops.indexOf(document.activeElement) + step];
  event.preventDefault();
  next?.focus();
});

// A click beside it closes it.
palette.addEventListener("click", (event) => {
  if (event.target === palette) palette.close();
});

// Nothing that was typed stays behind.
palette.addEventListener("close", () => {
  typed.value = "";
  narrow();
});

typed.addEventListener("input", narrow);

// "/" comes back to the box, unless something is being typed. In the box nothing begins with it: whoever is there
// already and presses it first gets no stray sign.
document.addEventListener("keydown", (event) => {
  const box = document.querySelector("[data-slash]");
  if (window.deskKeys?.isOn() === false) return;
  if (event.key !== "/" || event.ctrlKey || event.metaKey || event.altKey || !box) return;
  const starts = event.target === box && box.selectionEnd - box.selectionStart === box.value.length;
  if (!starts && event.target.closest("input, textarea, select, [contenteditable]")) return;
  event.preventDefault();
  box.focus();
});

// What is in the box was typed before: the next look-up replaces it.
document.addEventListener("focusin", (event) => {
  if (event.target.matches("[data-slash]")) event.target.select();
});

// The theme hides the page while the browser looks for what to focus; this runs after the theme, which comes first.
// Where the browser has focused the box all the same, nothing would have selected what is in it.
const first = document.querySelector("[data-slash][autofocus]");
first?.focus();
first?.select();

// On a ticket, an account or a card.
const grants = document.querySelector("a[data-grants]");
if (grants) window.deskKeys?.add("c", "Grant a credit", () => grants.click());

// The answer to a form is kept nowhere, so the browser could go back to it only by sending the form again, and asks
// about that on a page of its own. Its place in the history goes to the page that the form stood on.
history.replaceState(null, "", location.pathname.replace(/(diagnose|reverse)\/$/, "") + location.search + location.hash);

// The queue by keyboard, and how it was left: the row and what was chosen are there again when one comes back.
(() => {
  const queue = document.querySelector("[data-queue]");
  const rows = [...document.querySelectorAll("[data-row]")];
  const box = (row) => row.querySelector("input[type=checkbox]");
  const boxes = rows.map(box).filter(Boolean);
  const all = document.querySelector("[data-choose-all]");
  const told = document.querySelector("[data-chosen]");
  const bulk = document.querySelector("[data-bulk]");
  // References and marks only, for this tab.
  const kept = `queue ${location.search}`;
  let current = -1;

  function count() {
    const chosen = boxes.filter((each) => each.checked).length;
    if (told) told.textContent = chosen ? `: ${chosen} chosen` : "";
    if (chosen && bulk) bulk.open = true;
    if (all) {
      all.checked = chosen > 0 && chosen === boxes.length;
      all.indeterminate = chosen > 0 && chosen < boxes.length;
    }
    for (const row of rows) row.classList.toggle("is-chosen", Boolean(box(row)?.checked));
  }

  function move(to) {
    if (!rows.length) return;
    rows[current]?.classList.remove("is-current");
    current = Math.min(Math.max(to, 0), rows.length - 1);
    rows[current].classList.add("is-current");
    const link = rows[current].querySelector("a");
    link.focus({ preventScroll: true });
    rows[current].scrollIntoView({ block: "nearest" });
  }

  function keep() {
    const chosen = boxes.filter((each) => each.checked).map((each) => each.value);
    const scrolled = document.querySelector("#main")?.scrollTop || 0;
    const state = { row: rows[current]?.dataset.row, chosen, top: window.scrollY, scrolled };
    sessionStorage.setItem(kept, JSON.stringify(state));
  }

  function restore() {
    const state = JSON.parse(sessionStorage.getItem(kept) ?? "null");
    const came = performance.getEntriesByType("navigation")[0]?.type;
    if (!state || came !== "back_forward") return;
    for (const each of boxes) each.checked = state.chosen.includes(each.value);
    const place = rows.findIndex((row) => row.dataset.row === state.row);
    if (place >= 0) move(place);
    window.scrollTo(0, state.top);
    document.querySelector("#main")?.scrollTo(0, state.scrolled);
  }

  queue?.addEventListener("change", (event) => {
    if (event.target === all) for (const each of boxes) each.checked = all.checked;
    count();
  });
  queue?.addEventListener("focusin", (event) => {
    const place = rows.indexOf(event.target.closest("[data-row]"));
    if (place < 0 || place === current) return;
    rows[current]?.classList.remove("is-current");
    current = place;
    rows[current].classList.add("is-current");
  });
  window.addEventListener("pagehide", keep);

  // Only a tag has a word of its own.
  const deed = document.querySelector("#deed");
  const tag = document.querySelector("[data-tag]");
  const shows = () => { if (tag) tag.hidden = deed.value !== "tags:"; };
  deed?.addEventListener("change", shows);
  if (deed) shows();
  if (all) all.hidden = false;

  // What is empty says nothing: the address stays short enough to pass on.
  document.querySelector("[data-filters]")?.addEventListener("formdata", (event) => {
    for (const [name, value] of [...event.formData]) if (value === "") event.formData.delete(name);
  });

  window.deskKeys?.add("j", "Next ticket", () => move(current + 1));
  window.deskKeys?.add("k", "Ticket before", () => move(current - 1));
  window.deskKeys?.add("o", "Open the ticket (or Enter)", () => rows[current]?.querySelector("a").click());
  if (boxes.length) {
    window.deskKeys?.add("x", "Choose the ticket, for changing several", () => {
      if (current < 0) return;
      const chosen = box(rows[current]);
      chosen.checked = !chosen.checked;
      count();
    });
  }
  // The theme shows the page only after its own scripts.
  requestAnimationFrame(() => { restore(); count(); });
})();

// Deciding by keyboard: along the list, from one request to the next, to approving and to rejecting.
(() => {
  const rows = [...document.querySelectorAll("[data-row]")];
  let current = -1;

  function move(to) {
    rows[current]?.classList.remove("is-current");
    current = Math.min(Math.max(to, 0), rows.length - 1);
    rows[current].classList.add("is-current");
    rows[current].querySelector("a").focus({ preventScroll: true });
    rows[current].scrollIntoView({ block: "nearest" });
  }

  if (rows.length) {
    document.addEventListener("focusin", (event) => {
      const place = rows.indexOf(event.target.closest?.("[data-row]"));
      if (place < 0 || place === current) return;
      rows[current]?.classList.remove("is-current");
      current = place;
      rows[current].classList.add("is-current");
    });
    window.deskKeys?.add("j", "Next request", () => move(current + 1));
    window.deskKeys?.add("k", "Request before", () => move(current - 1));
    window.deskKeys?.add("o", "Open the request (or Enter)", () => rows[current]?.querySelector("a").click());
  }

  const add = (key, label, selector, act) => {
    const found = document.querySelector(selector);
    if (found) window.deskKeys?.add(key, label, () => act(found));
  };
  const go = (link) => link.click();
  const focus = (field) => {
    field.focus({ preventScroll: true });
    field.scrollIntoView({ block: "center" });
  };
  add("j", "Next request for you", "[data-next]", go);
  add("k", "Request for you before", "[data-previous]", go);
  add("a", "To approving: Enter approves", "[data-approve]", focus);
  add("r", "To rejecting, with its reason", "[data-reject]", focus);
  add("u", "To the list", "[data-up]", go);
})();

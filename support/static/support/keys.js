// The desk's single keys. A page adds its own: deskKeys.add("j", "Next ticket", handler). "?" lists them all. They say
// nothing where something is typed, and each person can switch them off: some software speaks in keys.
(() => {
  const OFF = "desk-keys-off";
  const keys = new Map();
  const isOn = () => localStorage.getItem(OFF) === null;
  const types = (target) => target.closest?.("input:not([type=checkbox], [type=radio]), textarea, select, [contenteditable]");

  function add(key, label, handler) {
    keys.set(key, { label, handler });
  }

  function element(name, text = "", fields = {}) {
    return Object.assign(document.createElement(name), { textContent: text, ...fields });
  }

  const dialog = element("dialog", "", { className: "keys" });
  dialog.setAttribute("aria-labelledby", "keys-heading");

  function show() {
    const list = element("dl");
    for (const [key, { label }] of keys) {
      const row = element("div");
      const name = element("dt");
      name.append(element("kbd", key));
      row.append(name, element("dd", label));
      list.append(row);
    }
    const choice = element("label");
    const box = element("input", "", { type: "checkbox", checked: isOn() });
    box.addEventListener("change", () => (box.checked ? localStorage.removeItem(OFF) : localStorage.setItem(OFF, "1")));
    choice.append(box, " Single keys are on");
    const close = element("form", "", { method: "dialog" });
    close.append(element("button", "Close", { type: "submit" }));
    dialog.replaceChildren(element("h2", "Keyboard", { id: "keys-heading" }), list, choice, close);
    dialog.showModal();
  }

  document.addEventListener("keydown", (event) => {
    if (event.ctrlKey || event.metaKey || event.altKey || event.defaultPrevented || dialog.open) return;
    if (!isOn() || types(event.target)) return;
    const found = keys.get(event.key);
    // Enter on a link or a button is theirs.
    if (!found || (event.key === "Enter" && event.target.closest("a, button, summary, input"))) return;
    if (found.handler(event) !== false) event.preventDefault();
  });

  // desk.js goes there: it also works in the box itself.
  if (document.querySelector("[data-slash]")) add("/", "To the box", () => false);
  add("?", "This list", show);
  document.body.append(dialog);
  for (const button of document.querySelectorAll("[data-keys]")) {
    button.hidden = false;
    button.addEventListener("click", show);
  }
  window.deskKeys = { add, isOn, show };
})();

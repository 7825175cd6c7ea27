// A new credit: what the account would then have stands beside each unit while the amount is typed, and another ticket
// brings its own files. The server says both as well, when asked with the second button.

for (const form of document.querySelectorAll("[data-credit]")) {
  const amount = form.elements.amount;
  // The theme hides the page while the browser looks for what to focus.
  const first = form.querySelector("[autofocus]");
  first?.focus();
  if (first === amount) first.select();
  const units = [...form.querySelectorAll("input[name=unit]")];

  const then = (unit, typed) => {
    if (!unit.checked || !/^([0-9]{1,9}(\.[0-9]*)?|\.[0-9]+)$/.test(typed) || Number(typed) === 0) return "";
    if (unit.dataset.starts) {
      if (!/^[0-9]{1,4}$/.test(typed)) return "";
      const day = new Date(`${unit.dataset.starts}T12:00:00Z`);
      day.setUTCDate(day.getUTCDate() + Number(typed));
      const shown = day.toLocaleDateString("en-GB", { day: "numeric", month: "long", year: "numeric", timeZone: "UTC" });
      return `Then until ${shown}`;
    }
    const decimals = Number(unit.dataset.decimals);
    if ((typed.split(".")[1] ?? "").length > decimals) return "";
    const scale = 10 ** decimals;
    const left = (Number(unit.dataset.balance) + Math.round(Number(typed) * scale)) / scale;
    const money = new Intl.NumberFormat("en-GB", { style: "currency", currency: unit.value });
    return `Then ${money.format(left)}`;
  };
  const tell = () => {
    for (const unit of units) unit.closest("label").querySelector("[data-then]").textContent = then(unit, amount.value.trim());
  };
  amount.addEventListener("input", tell);
  for (const unit of units) unit.addEventListener("change", tell);
  tell();

  // Another ticket has other files: the page is asked for with what was typed, and only what is about files is taken.
  for (const ticket of form.querySelectorAll("input[name=ticket]")) {
    ticket.addEventListener("change", async () => {
      const typed = new FormData(form);
      typed.set("do", "look");
      let page;
      try {
        const answer = await fetch(form.action, { method: "POST", body: typed });
        if (!answer.ok) return;
        page = new DOMParser().parseFromString(await answer.text(), "text/html");
      } catch {
        return;
      }
      if (!ticket.checked) return;
      for (const id of ["receipts", "before", "beside"]) {
        const fresh = page.getElementById(id);
        if (fresh) document.getElementById(id).replaceChildren(...fresh.childNodes);
      }
    });
  }
}

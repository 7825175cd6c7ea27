// “Use this reply” puts it into the reply box without leaving the page. Without scripts its form keeps it as the draft.
document.addEventListener("click", (event) => {
  const opener = event.target.closest("[data-opens]");
  if (opener) document.getElementById(opener.dataset.opens)?.setAttribute("open", "");
  const button = event.target.closest("[data-insert-reply]");
  const box = document.querySelector("#reply-body");
  if (!button || !box) return;
  event.preventDefault();
  const reply = button.closest(".ready").querySelector("[data-reply]").textContent;
  document.querySelector("[data-tab=reply]")?.click();
  const written = box.value.trimEnd();
  box.value = written ? `${written}\n\n${reply}` : reply;
  // The draft is kept as if it had been typed.
  box.dispatchEvent(new Event("input", { bubbles: true }));
  box.focus();
  box.setSelectionRange(box.value.length, box.value.length);
  box.scrollIntoView({ block: "center" });
});

// The admin's autocomplete calls itself by what is chosen in it, and by nothing where nothing is: a screen reader hears
// the field's label first.
function label() {
  for (const select of document.querySelectorAll("select.admin-autocomplete")) {
    const box = select.nextElementSibling?.querySelector(".select2-selection");
    const name = document.querySelector(`label[for="${select.id}"]`);
    if (!box || !name) continue;
    name.id ||= `${select.id}-label`;
    const chosen = box.querySelector(".select2-selection__rendered");
    box.setAttribute("aria-labelledby", `${name.id} ${chosen.id}`);
    chosen.removeAttribute("role");
    chosen.removeAttribute("aria-readonly");
  }
}

// By the same queue as the one that makes them, so after it.
addEventListener("load", () => django.jQuery(label));

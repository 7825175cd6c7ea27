// Files of a form: more are added to those already chosen, each with its kind and a button to leave it out; a screenshot
// is pasted into the text, or dropped on the form.

for (const field of document.querySelectorAll("[data-files]")) {
  const input = field.querySelector("input[type=file]");
  const kinds = field.querySelector("select");
  const list = field.querySelector("[data-list]");
  const said = field.querySelector("[data-said]");
  const form = field.closest("form");
  let chosen = [];

  field.querySelector("[data-paste]").hidden = false;
  // It is the pattern of each file's own.
  kinds.hidden = kinds.disabled = true;

  const draw = () => {
    const holder = new DataTransfer();
    for (const { file } of chosen) holder.items.add(file);
    input.files = holder.files;
    list.replaceChildren(
      ...chosen.map((one, place) => {
        const kind = kinds.cloneNode(true);
        kind.hidden = kind.disabled = false;
        kind.value = one.kind;
        kind.setAttribute("aria-label", `Kind of ${one.file.name}`);
        kind.addEventListener("change", () => (one.kind = kind.value));
        const out = document.createElement("button");
        out.type = "button";
        out.className = "small-button";
        out.textContent = "Leave out";
        out.setAttribute("aria-label", `Leave out ${one.file.name}`);
        out.addEventListener("click", () => {
          chosen.splice(place, 1);
          draw();
          said.textContent = `${one.file.name} is left out.`;
          input.focus();
        });
        const name = document.createElement("span");
        name.dir = "auto";
        name.textContent = one.file.name;
        const line = document.createElement("li");
        line.append(name, kind, out);
        return line;
      }),
    );
  };

  const add = (files) => {
    const large = files.filter((file) => file.size > Number(field.dataset.bytes));
    const fit = files.filter((file) => !large.includes(file));
    const room = Number(field.dataset.most) - chosen.length;
    chosen.push(...fit.slice(0, Math.max(0, room)).map((file) => ({ file, kind: kinds.value })));
    const words = [];
    if (large.length) words.push(`Too large: ${large.map((file) => file.name).join(", ")}.`);
    if (fit.length > room) words.push(`One message brings at most ${field.dataset.most} files.`);
    said.textContent = words.join(" ");
    draw();
  };

  // On its way down: the theme listens to file inputs too, and looks for a box of its own beside them.
  field.addEventListener(
    "change",
    (event) => {
      if (event.target !== input) return;
      event.stopPropagation();
      add([...input.files]);
    },
    true,
  );
  form.addEventListener("paste", (event) => {
    const files = [...event.clipboardData.files];
    if (!files.length) return;
    event.preventDefault();
    add(files);
  });
  form.addEventListener("dragover", (event) => {
    if (event.dataTransfer.types.includes("Files")) event.preventDefault();
  });
  form.addEventListener("drop", (event) => {
    const files = [...event.dataTransfer.files];
    if (!files.length) return;
    event.preventDefault();
    add(files);
  });
}

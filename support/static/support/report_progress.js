// How far a large report is, each two seconds; once it is done, the page with what was found.
let box = document.querySelector("[data-progress]");

const look = async () => {
  try {
    const answer = await fetch(box.dataset.progress, { redirect: "error" });
    if (!answer.ok) return location.reload();
    const part = new DOMParser().parseFromString(await answer.text(), "text/html").querySelector("[data-progress]");
    if (!part || "done" in part.dataset) return location.reload();
    box.replaceWith(part);
    box = part;
  } catch {
    // No connection for a while: it goes on.
  }
  setTimeout(look, 2000);
};
if (box) setTimeout(look, 2000);

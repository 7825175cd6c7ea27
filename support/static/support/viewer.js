// The viewer: a ticket's pictures beside its thread, turned and zoomed by keys that work only while it has the focus, so
// that none of them is in anybody's way. Without it each picture is a link that opens it alone.

(() => {
  const viewer = document.querySelector("#viewer");
  const pictures = [...document.querySelectorAll("[data-picture]")];
  const wide = matchMedia("(min-width: 1100px)");
  const MOST = 8;
  const STEP = 1.25;
  if (!viewer || !pictures.length) return;

  const image = viewer.querySelector("img");
  const sheet = viewer.querySelector(".viewer-sheet");
  const stage = viewer.querySelector(".viewer-stage");
  const told = viewer.querySelector("[role=status]");
  let at = 0;
  let zoom = 1;
  let turns = 0;

  const size = () => pictures[at].dataset;
  const isLying = () => turns % 2 === 1;

  // The sheet is as large as the turned picture, so that the stage scrolls over all of it.
  const lay = () => {
    const [width, height] = [Number(size().width), Number(size().height)];
    const [across, down] = isLying() ? [height, width] : [width, height];
    const fit = Math.min(stage.clientWidth / across, stage.clientHeight / down);
    const scale = fit * zoom;
    image.style.width = `${width * scale}px`;
    image.style.height = `${height * scale}px`;
    image.style.transform = `translate(-50%, -50%) rotate(${turns * 90}deg)`;
    sheet.style.width = `${across * scale}px`;
    sheet.style.height = `${down * scale}px`;
    button("smaller").disabled = zoom <= 1;
    button("larger").disabled = zoom >= MOST;
    button("previous").disabled = at === 0;
    button("next").disabled = at === pictures.length - 1;
  };

  const say = (trouble) => {
    const { name, page, pages } = size();
    const where = pages > 1 ? `, page ${page} of ${pages}` : "";
    const turned = turns ? `, turned by ${turns * 90}°` : "";
    told.textContent = `${name}${where}: ${trouble ?? `${Math.round(zoom * 100)} %${turned}`}`;
  };

  const button = (name) => viewer.querySelector(`[data-do=${name}]`);

  const show = (place) => {
    pictures[at].removeAttribute("aria-current");
    at = place;
    [zoom, turns] = [1, 0];
    pictures[at].setAttribute("aria-current", "true");
    image.src = pictures[at].href;
    image.alt = `Page ${size().page} of ${size().name}`;
    lay();
    say();
  };
  image.addEventListener("error", () => say("it could not be loaded. Reload the page."));

  // Beside the page where there is room; else above it, and then nothing behind it can be reached.
  const place = () => {
    if (wide.matches) viewer.show();
    else viewer.showModal();
    document.documentElement.classList.add("has-viewer");
  };

  const open = (place_) => {
    if (!viewer.open) place();
    show(place_);
    viewer.focus();
  };

  viewer.addEventListener("close", () => {
    if (viewer.dataset.moving) return;
    document.documentElement.classList.remove("has-viewer");
    pictures[at].removeAttribute("aria-current");
    image.removeAttribute("src");
    pictures[at].focus();
  });
  wide.addEventListener("change", () => {
    if (!viewer.open) return;
    // Its close event comes later.
    viewer.dataset.moving = "yes";
    viewer.close();
    place();
    setTimeout(() => delete viewer.dataset.moving);
  });
  new ResizeObserver(() => viewer.open && lay()).observe(stage);

  const zoomTo = (next) => {
    // What was in the middle stays there.
    const across = (stage.scrollLeft + stage.clientWidth / 2) / stage.scrollWidth;
    const down = (stage.scrollTop + stage.clientHeight / 2) / stage.scrollHeight;
    zoom = Math.min(MOST, Math.max(1, next));
    lay();
    stage.scrollLeft = across * stage.scrollWidth - stage.clientWidth / 2;
    stage.scrollTop = down * stage.scrollHeight - stage.clientHeight / 2;
    say();
  };

  const verbs = {
    previous: () => at > 0 && show(at - 1),
    next: () => at < pictures.length - 1 && show(at + 1),
    larger: () => zoomTo(zoom * STEP),
    smaller: () => zoomTo(zoom / STEP),
    fit: () => zoomTo(1),
    turn: () => {
      turns = (turns + 1) % 4;
      lay();
      say();
    },
    close: () => viewer.close(),
  };
  const keys = {
    ArrowLeft: "previous", ArrowRight: "next", "+": "larger", "=": "larger", "-": "smaller", 0: "fit", t: "turn",
    Escape: "close",
  };

  viewer.addEventListener("keydown", (event) => {
    const verb = keys[event.key];
    if (!verb || event.ctrlKey || event.metaKey || event.altKey) return;
    // Whoever has switched single keys off has the buttons, the arrows and Escape.
    if (event.key.length === 1 && window.deskKeys?.isOn() === false) return;
    event.preventDefault();
    // The page's own keys mean something else.
    event.stopPropagation();
    verbs[verb]();
  });
  viewer.addEventListener("click", (event) => {
    const pressed = event.target.closest("[data-do]");
    if (!pressed) return;
    verbs[pressed.dataset.do]();
    // A button that has just been switched off would take the focus with it.
    if (pressed.disabled) viewer.focus();
  });
  pictures.forEach((link, number) =>
    link.addEventListener("click", (event) => {
      // To a tab of its own, whoever wants that.
      if (event.ctrlKey || event.metaKey || event.shiftKey) return;
      event.preventDefault();
      open(number);
    }),
  );
})();

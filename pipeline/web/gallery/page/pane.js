// One picture, before and after on one sheet: the slider between them, flipping, real pixels, points of colour.
const Pane = (() => {
  let stage = null, sheet = null, slide = null, before = null, after = null, edge = null;
  let kept = [], size = [0, 0], zoomed = false, side = "both", putting = false, dots = [];
  let previewed = "", onPoint = () => {}, onChange = () => {}, drag = null;

  function start(point, change) {
    [stage, sheet, slide] = [part("stage"), part("sheet"), part("slide")];
    [onPoint, onChange] = [point, change];
    slide.addEventListener("input", () => turn("both"));
    stage.addEventListener("scroll", cut, { passive: true });
    stage.addEventListener("pointerdown", press);
    stage.addEventListener("pointermove", pull);
    for (const end of ["pointerup", "pointercancel"]) stage.addEventListener(end, () => { drag = null; });
    new ResizeObserver(fit).observe(stage);
  }

  // The file itself where the browser shows it; else what was made of it; else its thumbnail.
  function candidates(found, thumb) {
    return [found?.own ? found.url : "", Items.url(found?.view), Items.url(thumb)].filter(Boolean);
  }

  function show(item, details) {
    clear();
    const film = !!Items.get(item, "film");
    const sources = candidates(details.before, Items.get(item, "before"));
    const outputs = candidates(details.after, Items.get(item, "after"));
    kept = outputs;
    size = [Items.get(item, "width"), Items.get(item, "height")];
    const luma = !sources.length && outputs.length > 0;
    if (outputs.length) after = layer(outputs, film && details.after.own, "after");
    if (sources.length || luma) before = layer(sources.length ? sources : outputs, film && (luma ? details.after.own : details.before.own), luma ? "before luma" : "before", luma ? [] : outputs);
    if (after) sheet.append(after);
    if (before) sheet.append(before);
    edge = make("div", "edge");
    sheet.append(edge);
    if (film && after && before && after.tagName === "VIDEO" && before.tagName === "VIDEO") together();
    part("slide-part").hidden = !(before && after);
    zoomed = false;
    stage.classList.remove("zoomed");
    side = before && after ? "both" : after ? "after" : "before";
    fit();
  }

  function clear() {
    for (const video of sheet.querySelectorAll("video")) { video.pause(); video.removeAttribute("src"); video.load(); }
    sheet.replaceChildren();
    before = after = null;
    dots = [];
    release();
  }

  function release() {
    if (previewed) URL.revokeObjectURL(previewed);
    previewed = "";
  }

  // What the next run would make, in the place of what is there; null: that is as it would be made.
  function preview(url) {
    if (!url && !previewed) return;
    const old = previewed;
    previewed = url || "";
    const made = layer(url ? [url] : kept, false, "after");
    made.addEventListener("load", () => { if (old) URL.revokeObjectURL(old); }, { once: true });
    if (after) after.replaceWith(made); else sheet.prepend(made);
    after = made;
    if (side === "before" && !before) side = "after";
    part("slide-part").hidden = !before;
    cut();
  }

  function layer(urls, moves, name, instead = []) {
    const element = make(moves ? "video" : "img", name);
    if (moves) { element.muted = element.loop = element.playsInline = true; element.preload = "metadata"; element.controls = !name.startsWith("before"); element.setAttribute("aria-label", `Film, ${name}`); }
    else { element.alt = name.startsWith("before") ? "The picture before" : "The picture after"; element.draggable = false; }
    if (moves && name.startsWith("before")) element.style.pointerEvents = "none";
    // The original is not at hand any more: the luma of the output is its own.
    const rest = [...urls.map(url => [url, false]), ...instead.map(url => [url, true])];
    const next = () => {
      const [url, luma] = rest.shift() || [""];
      if (!url) return element.remove();
      if (luma) element.classList.add("luma");
      element.src = url;
    };
    element.addEventListener("error", next);
    element.addEventListener("load", () => { if (!size[0]) { size = [element.naturalWidth, element.naturalHeight]; fit(); } say(); });
    next();
    return element;
  }

  function together() {
    for (const event of ["play", "pause", "seeked", "timeupdate"]) after.addEventListener(event, () => {
      if (!before?.isConnected) return;
      if (Math.abs(before.currentTime - after.currentTime) > 0.15) before.currentTime = after.currentTime;
      if (after.paused !== before.paused) after.paused ? before.pause() : before.play().catch(() => {});
    });
  }

  function fit() {
    if (!size[0]) { sheet.style.width = sheet.style.height = "100%"; return cut(); }
    const [width, height] = size;
    const scale = zoomed ? 1 / devicePixelRatio : Math.min(stage.clientWidth / width, stage.clientHeight / height, 4);
    sheet.style.width = width * scale + "px";
    sheet.style.height = height * scale + "px";
    cut();
  }

  // The slider goes over what can be seen, also where that is a part of the picture.
  function cut() {
    if (!edge) return;
    const wide = sheet.offsetWidth || 1;
    const seen = Math.min(wide, stage.clientWidth);
    const at = side === "before" ? 1 : side === "after" ? 0 : (stage.scrollLeft + seen * slide.value / 100) / wide;
    if (before) before.style.clipPath = after ? `inset(0 ${(100 - 100 * at).toFixed(3)}% 0 0)` : "none";
    edge.style.left = 100 * at + "%";
    edge.hidden = side !== "both" || !(before && after);
    for (const [dot, point] of dots) { dot.style.left = 100 * point.x + "%"; dot.style.top = 100 * point.y + "%"; }
    say();
  }

  const NAMES = { both: "before | after", before: "before", after: "after" };
  function say() {
    const image = after || before;
    const shrunk = !previewed && image?.tagName === "IMG" && image.naturalWidth && size[0] && image.naturalWidth < size[0];
    const luma = before?.classList.contains("luma") && side !== "after" ? "; the original is not at hand: before is the output's luma" : "";
    const small = previewed ? "; a preview of what the next run makes" : "";
    const text = image ? NAMES[side] + small + (zoomed ? ", real pixels" : "") + (shrunk ? `; shown from ${image.naturalWidth} pixels, since browsers do not show this format` : "") + luma : "no picture";
    if (part("shown").textContent !== text) part("shown").textContent = text;
    onChange(side, zoomed, !!(before && after));
  }

  function turn(to) { side = to; cut(); }
  function flip() { if (before && after) turn(side === "before" ? "after" : side === "after" ? "before" : "before"); }

  function zoom() {
    const at = [(stage.scrollLeft + stage.clientWidth / 2) / sheet.offsetWidth, (stage.scrollTop + stage.clientHeight / 2) / sheet.offsetHeight];
    zoomed = !zoomed && size[0] > 0;
    stage.classList.toggle("zoomed", zoomed);
    fit();
    if (zoomed) stage.scrollTo((at[0] > 1 ? .5 : at[0]) * sheet.offsetWidth - stage.clientWidth / 2, (at[1] > 1 ? .5 : at[1]) * sheet.offsetHeight - stage.clientHeight / 2);
    cut();
  }

  const PANS = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, -1], ArrowDown: [0, 1] };
  function pan(key) { stage.scrollBy(PANS[key][0] * 80, PANS[key][1] * 80); }

  function press(event) {
    if (event.button || event.target.tagName === "VIDEO") return;
    if (putting) return put(event);
    if (zoomed && event.pointerType !== "mouse") return;
    drag = [event.clientX, event.clientY, stage.scrollLeft, stage.scrollTop];
    stage.setPointerCapture(event.pointerId);
    if (!zoomed) pull(event);
  }

  function pull(event) {
    if (!drag) return;
    if (zoomed) return stage.scrollTo(drag[2] - event.clientX + drag[0], drag[3] - event.clientY + drag[1]);
    if (!before || !after) return;
    const box = sheet.getBoundingClientRect();
    slide.value = 100 * (event.clientX - box.left) / box.width;
    turn("both");
  }

  function put(event) {
    const box = sheet.getBoundingClientRect();
    const [x, y] = [(event.clientX - box.left) / box.width, (event.clientY - box.top) / box.height];
    if (x >= 0 && x <= 1 && y >= 0 && y <= 1) onPoint(x, y);
  }

  function centre() {
    const [box, seen] = [sheet.getBoundingClientRect(), stage.getBoundingClientRect()];
    const within = (at, from, long) => Math.max(0, Math.min(1, (at - from) / (long || 1)));
    return [within(seen.left + seen.width / 2, box.left, box.width), within(seen.top + seen.height / 2, box.top, box.height)];
  }

  function setPutting(to) { putting = to; stage.classList.toggle("putting", to); }

  function points(all) {
    for (const [dot] of dots) dot.remove();
    dots = all.map(point => {
      const dot = make("div", "dot");
      dot.style.background = point.color;
      sheet.append(dot);
      return [dot, point];
    });
    cut();
  }

  return { start, show, clear, preview, flip, zoom, pan, turn, points, centre, setPutting, zoomed: () => zoomed, pans: key => key in PANS };
})();

// The grid: only the tiles that can be seen are in the page, whatever there is in all.
const Grid = (() => {
  const GAP = 10, LEAST = 168, LABEL = 46, BEYOND = 2;
  const tiles = new Map(), spare = [];
  let list = null, shown = [], columns = 1, width = 0, height = 0, current = 0, before = false, drawing = 0;
  const flipped = new Set();
  let onOpen = () => {};

  function start(open) {
    list = part("grid");
    onOpen = open;
    addEventListener("scroll", later, { passive: true });
    new ResizeObserver(() => { measure(); later(); }).observe(list);
  }

  function measure() {
    const room = list.clientWidth;
    columns = Math.max(2, Math.floor((room + GAP) / (LEAST + GAP)));
    width = (room - GAP * (columns - 1)) / columns;
    height = Math.round(width * 0.8) + LABEL;
    list.style.height = Math.ceil(shown.length / columns) * (height + GAP) + "px";
    for (const tile of tiles.values()) lay(tile);
  }

  function show(items, keep) {
    const was = shown[current];
    shown = items;
    const at = keep && was !== undefined ? shown.indexOf(was) : -1;
    current = at >= 0 ? at : Math.min(current, Math.max(0, shown.length - 1));
    for (const at of [...tiles.keys()]) release(at);
    measure();
    draw();
  }

  function later() {
    drawing ||= requestAnimationFrame(() => { drawing = 0; draw(); });
  }

  function draw() {
    const step = height + GAP;
    const top = -list.getBoundingClientRect().top;
    const first = Math.max(0, Math.floor(top / step) - BEYOND) * columns;
    const last = Math.min(shown.length, (Math.ceil((top + innerHeight) / step) + BEYOND) * columns);
    const focus = document.activeElement?.closest?.("#grid li")?.at;
    for (const at of [...tiles.keys()]) if ((at < first || at >= last) && at !== focus) release(at);
    for (let at = last - 1; at >= first; at--) if (!tiles.has(at)) place(at);
    list.dataset.drawn = shown.length ? `${first}-${last}` : "none";
  }

  function release(at) {
    const tile = tiles.get(at);
    tiles.delete(at);
    tile.remove();
    tile.image.removeAttribute("src");
    spare.push(tile);
  }

  function place(at) {
    const tile = spare.pop() || blank();
    tile.at = at;
    tiles.set(at, tile);
    fill(tile);
    lay(tile);
    // In reading order, so that the Tab key and screen readers go through them as the eye does.
    const next = tiles.get(at + 1);
    list.insertBefore(tile, next && next.isConnected ? next : null);
  }

  function lay(tile) {
    const row = Math.floor(tile.at / columns), column = tile.at % columns;
    tile.style.width = width + "px";
    tile.style.height = height + "px";
    tile.style.transform = `translate(${column * (width + GAP)}px, ${row * (height + GAP)}px)`;
  }

  function blank() {
    const tile = make("li");
    const button = make("button", "tile");
    button.type = "button";
    tile.well = make("span", "well");
    tile.image = make("img");
    tile.image.alt = "";
    tile.image.decoding = "async";
    tile.image.draggable = false;
    tile.image.onerror = () => moving(tile, false);
    tile.image.onload = () => { Gallery.firstPicture ??= performance.now(); };
    tile.empty = make("span", "empty");
    tile.well.append(tile.image, tile.empty);
    tile.name = make("span", "name");
    tile.about = make("span", "about");
    tile.mark = make("span", "mark");
    tile.which = make("span", "which");
    tile.spoken = make("span", "unseen");
    tile.mark.ariaHidden = tile.which.ariaHidden = "true";
    button.append(tile.well, tile.name, tile.about, tile.spoken, tile.mark, tile.which);
    button.onclick = () => { current = tile.at; onOpen(tile.at); };
    button.onfocus = () => { current = tile.at; marked(); moving(tile, true); };
    button.onblur = button.onpointerleave = () => moving(tile, false);
    button.onpointerenter = () => moving(tile, true);
    tile.button = button;
    tile.append(button);
    return tile;
  }

  function fill(tile) {
    const item = shown[tile.at];
    const key = plain(Items.get(item, "key")), status = Items.status(item);
    const turned = before !== flipped.has(item);
    picture(tile, item, turned);
    tile.name.textContent = key.slice(key.lastIndexOf("/") + 1);
    label(tile.about, item, status);
    const decision = Decisions.of(Items.get(item, "key"));
    tile.mark.className = "mark " + (decision?.decision || "");
    tile.mark.textContent = sign(decision);
    tile.which.textContent = turned ? "before" : "";
    tile.setAttribute("aria-setsize", shown.length);
    tile.setAttribute("aria-posinset", tile.at + 1);
    tile.button.title = key;
    tile.button.tabIndex = tile.at === current ? 0 : -1;
    tile.spoken.textContent = [status, decision ? spoken(decision) : "", turned ? "shown before" : ""].filter(Boolean).join(", ");
    tile.button.dataset.key = Items.get(item, "key");
  }

  function picture(tile, item, turned) {
    const after = Items.get(item, "after"), source = Items.get(item, "before");
    // Without the original at hand its luma is the output's.
    const name = turned ? source || after : after || source;
    const src = Items.url(name);
    tile.src = name;
    tile.image.hidden = !src;
    tile.image.className = turned && !source ? "luma" : "";
    if (src) tile.image.src = src;
    tile.empty.hidden = !!src;
    tile.empty.textContent = src ? "" : plain(Items.reason(item)) || Items.status(item);
  }

  // A film's loop, under the pointer or the keyboard, for those who do not mind what moves.
  const still = matchMedia("(prefers-reduced-motion: reduce)");
  function moving(tile, on) {
    const item = shown[tile.at];
    if (item === undefined || tile.image.hidden || Items.get(item, "film") !== 2 || (on && still.matches)) return;
    const name = tile.src || "", src = Items.url(on ? name.replace(/\.jpg$/, ".webp") : name);
    if (src && tile.image.getAttribute("src") !== src) tile.image.src = src;
  }

  function label(element, item, status) {
    element.replaceChildren();
    const bold = make("b", PROBLEMS.includes(status) ? "bad" : "", status);
    if (status !== "done") element.append(bold, " ");
    const doubt = Items.get(item, "doubt");
    const size = Items.pixels(item) ? `${Items.get(item, "width")} × ${Items.get(item, "height")}` : "";
    const film = Items.get(item, "film") ? "film" : "";
    const reason = ["done", "copied"].includes(status) ? "" : plain(Items.reason(item));
    element.append([film, reason, doubt === null ? "" : `doubt ${Math.round(doubt)}`, reason ? "" : size].filter(Boolean).join(" · "));
  }

  const STARS = "★★★★★";
  const SIGNS = { approved: "✓", rejected: "✕", "left-grey": "grey" };
  const sign = one => !one ? "" : [SIGNS[one.decision], one.rating === null ? "" : STARS.slice(0, one.rating), one.points.length ? "●" : ""].filter(Boolean).join(" ") || "…";
  const spoken = one => [one.decision, one.rating === null ? "" : `rated ${one.rating}`, one.points.length ? `${one.points.length} points` : ""].filter(Boolean).join(", ") || "noted";

  function marked() {
    for (const tile of tiles.values()) tile.button.tabIndex = tile.at === current ? 0 : -1;
  }

  function focus(at) {
    current = Math.max(0, Math.min(shown.length - 1, at));
    reveal();
    draw();
    marked();
    tiles.get(current)?.button.focus({ preventScroll: true });
  }

  function reveal() {
    const head = getComputedStyle(document.querySelector("header")).position === "sticky" ? document.querySelector("header").offsetHeight : 0;
    const y = Math.floor(current / columns) * (height + GAP) + list.getBoundingClientRect().top;
    if (y < head + GAP) scrollBy(0, y - head - GAP);
    else if (y + height > innerHeight) scrollBy(0, y + height - innerHeight + GAP);
  }

  function refresh(item) {
    for (const tile of tiles.values()) if (item === undefined || shown[tile.at] === item) fill(tile);
  }

  function flip() {
    const item = shown[current];
    if (item === undefined) return;
    if (!flipped.delete(item)) flipped.add(item);
    refresh(item);
  }

  function flipAll(side) { before = side; flipped.clear(); refresh(); }

  const MOVES = { ArrowLeft: () => -1, ArrowRight: () => 1, ArrowUp: () => -columns, ArrowDown: () => columns,
    Home: () => -Infinity, End: () => Infinity, PageUp: page => -page, PageDown: page => page };
  const pageful = () => columns * Math.max(1, Math.floor(innerHeight / (height + GAP)) - 1);
  const move = key => focus(current + MOVES[key](pageful()));

  return { start, show, focus, refresh, flip, flipAll, move, moves: key => key in MOVES,
    item: (at = current) => shown[at], at: () => current, count: () => shown.length, items: () => shown };
})();

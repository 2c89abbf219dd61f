// Filters, keys, and the order in which all of it begins.
const Main = (() => {
  let wanted = { sort: "key" }, pending = 0;

  function note(text) {
    part("note").hidden = !text;
    part("note").textContent = text;
  }

  function read() {
    wanted = {
      search: part("search").value.trim().toLowerCase(), status: part("status").value,
      folder: part("folder").value.trim().replace(/\/+$/, ""), verdict: part("verdict").value,
      doubt: +part("doubt").value || 0, decided: part("decided").value, sort: part("sort").value,
      turned: part("order").getAttribute("aria-pressed") === "true",
    };
  }

  function show(keep = true) {
    read();
    Grid.show(Items.chosen(wanted), keep);
    const about = Items.about(), count = Grid.count();
    const of = count === about.total ? "" : ` of ${about.total.toLocaleString("en")}`;
    const left = Items.loaded() < about.total ? `, loading ${Math.round(100 * Items.loaded() / about.total)} %` : "";
    part("count").textContent = `${count.toLocaleString("en")}${of} ${about.total === 1 ? "item" : "items"}${left}`;
    note(count || Items.loaded() < about.total ? "" : about.total ? "Nothing is like that. Take a filter away." : "This archive has no items yet.");
  }

  function soon() {
    clearTimeout(pending);
    pending = setTimeout(() => show(), 120);
  }

  function filters(about) {
    const counts = about.statuses, problems = PROBLEMS.reduce((sum, each) => sum + (counts[each] || 0), 0);
    const options = [["", "any"], ...(problems ? [["problems", `problems (${problems.toLocaleString("en")})`]] : []),
      ...STATUSES.filter(each => counts[each]).map(each => [each, `${each} (${counts[each].toLocaleString("en")})`])];
    part("status").replaceChildren(...options.map(([value, text]) => Object.assign(make("option", "", text), { value })));
    part("folders").replaceChildren(...about.folders.map(value => Object.assign(make("option"), { value })));
    part("doubt-part").hidden = !about.doubt;
    part("by-doubt").hidden = part("by-doubt").disabled = !about.doubt;
    for (const id of ["search", "folder", "doubt"]) part(id).addEventListener("input", soon);
    for (const id of ["status", "verdict", "decided", "sort"]) part(id).addEventListener("change", () => show(id !== "sort"));
    part("filters").addEventListener("submit", event => event.preventDefault());
    part("fewer").onclick = () => part("fewer").setAttribute("aria-expanded", part("fewer").getAttribute("aria-expanded") === "false");
    part("order").onclick = () => { toggle("order"); show(); };
    part("side").onclick = () => Grid.flipAll(toggle("side"));
  }

  function toggle(id) {
    const to = part(id).getAttribute("aria-pressed") !== "true";
    part(id).setAttribute("aria-pressed", to);
    return to;
  }

  async function download() {
    const sha256 = async key => {
      const item = Items.find(key);
      return item < 0 ? "" : (await Items.details(item)).sha256;
    };
    let file;
    try { file = await Decisions.file(sha256); } catch { return note("A part of the gallery cannot be loaded: was it made anew meanwhile? Load this page again."); }
    if (!file.pictures.length) return note("Nothing is decided yet: 1 to 5 rates a picture, x rejects it, a approves it.");
    const link = make("a");
    link.href = URL.createObjectURL(new Blob([JSON.stringify(file, null, 1) + "\n"], { type: "application/json" }));
    link.download = "colorize-decisions.json";
    link.click();
    setTimeout(() => URL.revokeObjectURL(link.href), 10000);
    note("");
  }

  const writing = element => element.matches("textarea, select, input:not([type=range], [type=color])");

  // Of the last change, whatever it was and of whichever picture.
  function undo(again = false) {
    const name = again ? Decisions.redo() : Decisions.undo();
    if (!name) return;
    Viewer.again();
    Viewer.preview();
    const text = `${again ? "Made again" : "Taken back"}: ${plain(name)}`;
    if (Viewer.isOpen()) part("shown").textContent = text;
    part("count").textContent = text;
  }

  function undoable() {
    for (const id of ["undo", "undo-large"]) part(id).disabled = !Decisions.can()[0];
  }

  function served() {
    part("download").hidden = true;
    part("anew").hidden = false;
    part("where-kept").textContent = "What is decided stands in hints.toml of the archive at once; the next run does it.";
    part("anew").onclick = async () => {
      part("anew").disabled = true;
      note("Looking for what is new…");
      try { Decisions.flush(); await Review.settled(); await Review.refresh(); location.reload(); } catch (error) { note(error.message); }
      part("anew").disabled = false;
    };
  }

  function key(event) {
    if ((event.ctrlKey || event.metaKey) && !event.altKey && ["z", "y"].includes(event.key.toLowerCase()) && !writing(event.target) && !part("help").open) {
      event.preventDefault();
      return undo(event.shiftKey || event.key.toLowerCase() === "y");
    }
    if (event.ctrlKey || event.metaKey || event.altKey || part("help").open) return;
    if (writing(event.target)) {
      if (event.key === "Escape" && !Viewer.isOpen()) Grid.focus(Grid.at());
      return;
    }
    if (act(event)) event.preventDefault();
  }

  function act(event) {
    const name = event.key.length === 1 ? event.key.toLowerCase() : event.key;
    const open = Viewer.isOpen(), inGrid = !!event.target.closest("#grid") || event.target === document.body;
    const on = work => { Viewer.on(Grid.at(), work); return true; };
    if (name === "?") { part("help").showModal(); return true; }
    if (open && event.shiftKey && Pane.pans(name)) { Pane.pan(name); return true; }
    if (open && event.target.matches("input")) return false;
    if (open && Pane.pans(name)) { Viewer.go(["ArrowLeft", "ArrowUp"].includes(name) ? -1 : 1); return true; }
    if (name === " " && (open ? !event.target.matches("button, video") : inGrid)) { if (open) Pane.flip(); else Grid.flip(); return true; }
    if (/^[0-5]$/.test(name)) return on(() => Viewer.rate(+name));
    if (name === "x") return on(() => Viewer.decide("rejected"));
    if (name === "a") return on(() => Viewer.decide("approved"));
    if (name === "g") return on(() => Viewer.decide("left-grey"));
    if (name === "u") return on(() => Viewer.undo());
    if (open && name === "z") { Pane.zoom(); return true; }
    if (open && name === "p") { Viewer.middle(); return true; }
    if (open) return false;
    if (name === "/") { part("search").focus(); return true; }
    if (inGrid && Grid.moves(name)) { Grid.move(name); return true; }
    return false;
  }

  async function begin() {
    const about = Items.about();
    if (!about) return note("The data of this gallery cannot be loaded: run `colorize gallery` again.");
    document.title = `Gallery of ${plain(about.title)}`;
    part("title").textContent = `Gallery of ${plain(about.title)}`;
    if (Review.on) served();
    const trouble = text => { note(text); if (Viewer.isOpen()) Viewer.tell(text); };
    await Decisions.open(about.id, trouble, () => Viewer.again());
    filters(about);
    part("download").onclick = download;
    part("undo").onclick = part("undo-large").onclick = () => undo();
    part("help-open").onclick = () => part("help").showModal();
    part("help-close").onclick = () => part("help").close();
    Grid.start(at => Viewer.open(at));
    Viewer.start();
    document.addEventListener("keydown", key);
    document.addEventListener("keyup", event => { if (event.key === " " && event.target.closest?.("#grid")) event.preventDefault(); });
    let shown = 0;
    try {
      await Items.load(() => { if (!shown++ || Items.loaded() >= about.total) show(); else soon(); });
    } catch { note("A part of the gallery cannot be loaded: was it made anew meanwhile? Load this page again."); }
    if (!about.total) show();
    jump();
    addEventListener("hashchange", jump);
    Gallery.ready = performance.now();
  }

  function jump() {
    let key = "";
    try { key = decodeURIComponent(location.hash.slice(1)); } catch { return; }
    const at = key && key !== "grid" && key !== "statistics" ? Grid.items().indexOf(Items.find(key)) : -1;
    if (at >= 0) { Grid.focus(at); Viewer.open(at); }
  }

  return { begin, undoable };
})();

if (document.readyState === "loading") document.addEventListener("DOMContentLoaded", Main.begin); else Main.begin();

// The player, part 5: one step of a recorded run at a time.
//
// Everything that it shows was made when the book was built: the lines of words, the decoded
// fields, the highlighted source, the notes.
"use strict";

(() => {
    const { element, center, Memory, BytePanels, QueuePanels } = doorbellPlayer;

    /** One player: a stretch of a run, and the place in it that is shown. */
    class Player {
        constructor(section, data) {
            this.section = section;
            this.data = data;
            this.first = Number(section.dataset.first);
            this.last = Number(section.dataset.end) - 1;
            this.memory = new Memory(data);
            this.bytes = new BytePanels(data, this.memory);
            this.queues = new QueuePanels(data, this.memory);
            this.shownFile = null;
            this.build();
            this.show(this.first);
        }

        /** The name of a step in links. */
        id(place) {
            return this.data.scenario + "-step-" + this.data.steps[place].n;
        }

        /** Makes the player's elements. */
        build() {
            this.status = element("p", { class: "db-status", "aria-live": "polite" });
            this.source = element("pre", { class: "db-source", tabindex: "0", "aria-label": "source" });
            this.sourceTitle = element("p", { class: "db-title" });
            this.note = element("aside", { class: "db-note" });
            this.list = element("ol", { class: "db-list", "aria-label": "steps" });
            this.live = element("div", { class: "db-live", tabindex: "0", role: "group",
                "aria-label": this.section.getAttribute("aria-label") + ": player. Arrow keys step." },
                this.bar(), this.status,
                element("div", { class: "db-grid" },
                    element("div", { class: "db-left" }, this.sourceTitle, this.source, this.note),
                    element("div", { class: "db-right" }, this.list, this.bytes.event)),
                element("div", { class: "db-state" }, this.bytes.wqe, this.queues.doorbell, this.queues.rings));
            this.live.addEventListener("keydown", (event) => this.key(event));
            this.buildList();
            this.section.prepend(this.live);
            this.section.classList.add("db-ready");
        }

        /** Buttons, slider and link. */
        bar() {
            const button = (name, text, hint, act) => {
                const made = element("button", { type: "button", class: "db-" + name, title: hint }, text);
                made.addEventListener("click", act);
                return made;
            };
            this.slider = element("input", { type: "range", class: "db-slider", min: this.first,
                max: this.last, step: "1", "aria-label": "step" });
            this.slider.addEventListener("input", () => this.visit(Number(this.slider.value)));
            this.link = element("a", { class: "db-link", title: "link to this step" });
            this.printed = button("printed", "All steps", "show every step in print", () => {
                const open = this.section.classList.toggle("db-printed-open");
                this.printed.setAttribute("aria-expanded", String(open));
            });
            this.printed.setAttribute("aria-expanded", "false");
            return element("div", { class: "db-bar", role: "toolbar", "aria-label": "stepping" },
                button("first", "First", "first step (Home)", () => this.visit(this.first)),
                button("back", "Back", "one step back (left arrow)", () => this.visit(this.place - 1)),
                button("forward", "Step", "one step (right arrow)", () => this.visit(this.place + 1)),
                button("over", "Over", "over what is called here (o)", () => this.visit(this.over())),
                button("last", "Last", "last step (End)", () => this.visit(this.last)),
                this.slider, this.link, this.printed);
        }

        /** The list of all steps of the stretch. */
        buildList() {
            this.items = [];
            const threads = this.data.steps.some((step) => /^CPU /.test(step.actor || ""));
            for (let place = this.first; place <= this.last; place += 1) {
                const step = this.data.steps[place];
                const link = element("a", { href: "#" + this.id(place), tabindex: "-1" }, step.what);
                link.addEventListener("click", (event) => {
                    event.preventDefault();
                    this.visit(place);
                });
                const item = element("li", { value: step.n, style: "--depth:" + step.depth,
                    class: step.actor === "card" ? "db-by-card" : null },
                    element("span", { class: "db-number" }, String(step.n)),
                    ...(threads ? [element("span", { class: "db-actor" }, step.actor)] : []), link);
                this.items.push(item);
                this.list.append(item);
            }
        }

        /** Acts on a key; keys that are the player's do not reach the page, which would turn it. */
        key(event) {
            if (event.altKey || event.ctrlKey || event.metaKey) {
                return;
            }
            const targets = {
                ArrowRight: () => this.place + 1,
                ArrowLeft: () => this.place - 1,
                Home: () => this.first,
                End: () => this.last,
                o: () => this.over(),
            };
            const target = targets[event.key];
            if (target) {
                event.preventDefault();
                event.stopPropagation();
                this.visit(target());
            }
        }

        /** The next step of the same actor that is not deeper than this one. */
        over() {
            const here = this.data.steps[this.place];
            for (let place = this.place + 1; place <= this.last; place += 1) {
                const step = this.data.steps[place];
                if (step.actor === here.actor && step.depth <= here.depth) {
                    return place;
                }
            }
            return this.last;
        }

        /** Goes to a step because the reader asked for it; the address bar follows. */
        visit(place) {
            this.show(place);
            history.replaceState(null, "", "#" + this.id(this.place));
        }

        /** Shows a step; a place outside the stretch shows its nearest end. */
        show(place) {
            this.place = Math.min(Math.max(place, this.first), this.last);
            const step = this.data.steps[this.place];
            this.memory.go(this.place);
            this.live.dataset.step = step.n;
            this.slider.value = this.place;
            this.slider.setAttribute("aria-valuetext", "step " + step.n);
            this.link.href = "#" + this.id(this.place);
            this.link.textContent = "step " + step.n;
            this.status.replaceChildren(
                element("span", { class: "db-number" }, "step " + step.n), " ",
                element("span", { class: "db-actor" }, step.actor), " ", step.what);
            this.showList();
            this.showSource(step);
            this.showNote(step);
            this.bytes.show(this.place);
            this.queues.show(this.place);
        }

        /** Marks the step in the list. */
        showList() {
            const item = this.items[this.place - this.first];
            if (this.current) {
                this.current.removeAttribute("aria-current");
            }
            item.setAttribute("aria-current", "step");
            this.current = item;
            center(this.list, item);
        }

        /** Shows the source with the step's line marked. */
        showSource(step) {
            if (this.shownFile !== step.file) {
                this.shownFile = step.file;
                this.lines = new Map();
                const lines = (this.data.files[step.file] || []).map(([number, html]) => {
                    const line = element("span", { class: "db-line", "data-line": number });
                    line.innerHTML = html || " ";
                    this.lines.set(number, line);
                    return line;
                });
                this.source.replaceChildren(...lines);
            }
            this.sourceTitle.replaceChildren(
                element("span", { class: "db-place" }, step.file + ":" + step.line), " in ",
                element("span", { class: "db-function" }, step.function));
            if (this.marked) {
                this.marked.classList.remove("db-current");
            }
            this.marked = this.lines.get(step.line);
            if (this.marked) {
                this.marked.classList.add("db-current");
                center(this.source, this.marked);
            }
        }

        /** Shows the note of the step's anchor. */
        showNote(step) {
            const note = this.data.notes[step.anchor];
            this.note.hidden = !note;
            if (!note || this.note.dataset.anchor === step.anchor) {
                return;
            }
            this.note.dataset.anchor = step.anchor;
            const body = element("div");
            body.innerHTML = note.html;
            const upstream = note.upstream.map((pointer) => element("li", {}, pointer));
            this.note.replaceChildren(
                ...(note.title ? [element("p", { class: "db-title" }, note.title)] : []),
                body,
                ...(upstream.length ? [element("ul", { class: "db-upstream" }, ...upstream)] : []));
        }
    }

    /** Shows the step that the address names, if a player holds it. */
    function follow(players) {
        const wanted = decodeURIComponent(location.hash.slice(1));
        for (const player of players) {
            for (let place = player.first; place <= player.last; place += 1) {
                if (player.id(place) === wanted) {
                    player.show(place);
                    player.live.scrollIntoView({ block: "start" });
                    player.live.focus({ preventScroll: true });
                    return;
                }
            }
        }
    }

    const runs = new Map();
    for (const script of document.querySelectorAll("script.doorbell-data")) {
        runs.set(script.dataset.scenario, JSON.parse(script.textContent));
    }
    const players = [...document.querySelectorAll("section.doorbell-player")]
        .filter((section) => runs.has(section.dataset.scenario))
        .map((section) => new Player(section, runs.get(section.dataset.scenario)));
    window.addEventListener("hashchange", () => follow(players));
    // Once at once, and once when the browser is done with the address itself and has taken the focus.
    follow(players);
    window.addEventListener("load", () => setTimeout(() => follow(players), 0));
})();

// The player: shows one step of a recorded run at a time.
//
// Everything that it shows was made when the book was built: the lines of words, the decoded
// fields, which region an address belongs to, which stores make up a WQE. This script knows no
// layout. What it computes is the fold: it applies the writes of the steps, in order, to the
// regions, and shows what lies there at the step the reader stands at.
"use strict";

(() => {
    /** Makes an element: its tag, attributes, and children (elements or text). */
    function element(tag, attributes, ...children) {
        const made = document.createElement(tag);
        for (const [name, value] of Object.entries(attributes || {})) {
            if (value !== null && value !== undefined && value !== false) {
                made.setAttribute(name, value);
            }
        }
        made.append(...children);
        return made;
    }

    /** The bytes that a hex text spells. */
    function unhex(text) {
        const pairs = text.match(/../g) || [];
        return pairs.map((pair) => parseInt(pair, 16));
    }

    /** Two hex digits. */
    function pair(byte) {
        return byte.toString(16).padStart(2, "0");
    }

    /** The memory of a run at one step: the fold of all writes up to it. */
    class Memory {
        constructor(data) {
            this.data = data;
            this.forget();
        }

        /** Back to before the first step. */
        forget() {
            this.place = -1;
            this.regions = new Map();
            this.indexes = new Map();
            this.registers = new Map();
            this.records = new Map();
        }

        /** Goes to a step, forward from where it stands or else from the beginning. */
        go(place) {
            if (place < this.place) {
                this.forget();
            }
            while (this.place < place) {
                this.place += 1;
                this.apply(this.data.steps[this.place]);
            }
        }

        /** A region's bytes, and for each byte the step that wrote it last, -1 for none. */
        region(number) {
            const info = this.data.regions[number];
            if (!info) {
                return null;
            }
            if (!this.regions.has(number)) {
                this.regions.set(number, {
                    info,
                    bytes: new Uint8Array(info.length),
                    writers: new Int32Array(info.length).fill(-1),
                });
            }
            return this.regions.get(number);
        }

        /** Applies what one step wrote. */
        apply(step) {
            for (const [number, offset, hex] of step.writes || []) {
                const region = this.region(number);
                const bytes = unhex(hex).slice(0, Math.max(0, region.info.length - offset));
                region.bytes.set(bytes, offset);
                region.writers.fill(this.place, offset, offset + bytes.length);
            }
            if (step.record) {
                this.records.set(step.at[0], step.record);
            }
            if (step.index) {
                const [number, name, value, slot] = step.index;
                this.indexes.set(number + " " + name, { number, name, value, slot, place: this.place });
            }
            if (step.register) {
                const hex = step.parts.map((part) => part.bytes).join("");
                const info = this.data.regions[step.at[0]];
                this.registers.set(step.register, { hex, place: this.place, doorbell: Boolean(info) });
            }
        }
    }

    /** One player: a stretch of a run, and the place in it that is shown. */
    class Player {
        constructor(section, data) {
            this.section = section;
            this.data = data;
            this.first = Number(section.dataset.first);
            this.last = Number(section.dataset.end) - 1;
            this.memory = new Memory(data);
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
            this.event = element("div", { class: "db-panel db-event" });
            this.wqe = element("div", { class: "db-panel db-wqe" });
            this.rings = element("div", { class: "db-panel db-rings" });
            this.doorbell = element("div", { class: "db-panel db-doorbell" });
            this.live = element("div", { class: "db-live", tabindex: "0", role: "group",
                "aria-label": this.section.getAttribute("aria-label") + ": player. Arrow keys step." },
                this.bar(), this.status,
                element("div", { class: "db-grid" },
                    element("div", { class: "db-left" }, this.sourceTitle, this.source, this.note),
                    element("div", { class: "db-right" }, this.list, this.event)),
                element("div", { class: "db-state" }, this.wqe, this.doorbell, this.rings));
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
            for (let place = this.first; place <= this.last; place += 1) {
                const step = this.data.steps[place];
                const link = element("a", { href: "#" + this.id(place), tabindex: "-1" }, step.what);
                link.addEventListener("click", (event) => {
                    event.preventDefault();
                    this.visit(place);
                });
                const item = element("li", { value: step.n, style: "--depth:" + step.depth,
                    class: step.actor === "card" ? "db-by-card" : null },
                    element("span", { class: "db-number" }, String(step.n)), link);
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
            this.showEvent(step);
            this.showWqe(step);
            this.showDoorbell();
            this.showRings();
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

        /** Shows the bytes and fields of the step itself. */
        showEvent(step) {
            const parts = step.parts || [];
            this.event.hidden = parts.length === 0;
            this.event.dataset.hex = parts.map((part) => part.bytes).join("");
            this.event.replaceChildren(
                element("p", { class: "db-title" }, "This step's bytes"),
                ...parts.flatMap((part) => this.part(part)));
        }

        /** One part: what it is, its fields, its bytes. */
        part(part) {
            const made = [];
            const title = [part.title, part.layout].filter(Boolean).join(": ");
            if (title) {
                made.push(element("p", { class: "db-layout" }, title));
            }
            if (part.fields.length) {
                made.push(this.fields(part));
            }
            if (part.more > 0) {
                made.push(element("p", { class: "db-more" }, part.more + " more fields are 0"));
            }
            if (part.bytes) {
                made.push(element("pre", { class: "db-bytes" }, dump(unhex(part.bytes))));
            }
            return made;
        }

        /** A table of fields; what each one means is its tooltip and is printed below the player. */
        fields(part) {
            const known = this.data.layouts[part.layout] || {};
            const rows = part.fields.map(([path, value, origin]) => {
                const [place, meaning] = known[path] || ["", ""];
                return element("tr", { title: meaning },
                    element("th", { scope: "row" }, path),
                    element("td", { class: "db-where" }, place),
                    element("td", { class: "db-value" + (value.length > 20 ? " db-long" : "") }, value),
                    element("td", { class: "db-origin" }, origin ? "from " + origin : meaning));
            });
            return element("table", { class: "db-fields" }, element("tbody", {}, ...rows));
        }

        /** Shows the WQE in the foreground: its bytes as far as they are stored, by segment. */
        showWqe(step) {
            const wqe = this.data.wqes[step.wqe];
            this.wqe.hidden = !wqe;
            if (!wqe) {
                return;
            }
            const region = this.memory.region(wqe.region);
            const owners = new Map();
            const stored = new Map();
            for (const place of wqe.stores.filter((store) => store <= this.place)) {
                const [, start] = this.data.steps[place].at;
                const part = this.data.steps[place].parts[0];
                for (let byte = 0; byte < part.bytes.length / 2; byte += 1) {
                    owners.set((start + byte) % region.info.length, place);
                }
                stored.set(start, { place, part });
            }
            const behind = (offset) => (offset - wqe.start + region.info.length) % region.info.length;
            const starts = [...new Set(wqe.stores.map((store) => behind(this.data.steps[store].at[1])))].sort((a, b) => a - b);
            const number = (place) => starts.indexOf(behind(this.data.steps[place].at[1]));
            const shown = new Set(owners.values());
            const segments = [...stored.values()].filter(({ place }) => shown.has(place));
            segments.sort((a, b) => number(a.place) - number(b.place));
            const bytes = [];
            for (let at = 0; at < wqe.length; at += 1) {
                const offset = (wqe.start + at) % region.info.length;
                const owner = owners.get(offset);
                bytes.push({
                    text: owner === undefined ? "··" : pair(region.bytes[offset]),
                    segment: owner === undefined ? undefined : number(owner),
                    fresh: owner === this.place,
                });
            }
            this.wqe.dataset.hex = bytes.map((byte) => byte.text).join("");
            const owned = bytes.filter((byte) => byte.segment !== undefined).length;
            this.wqe.replaceChildren(
                element("p", { class: "db-title" }, "WQE in the " + region.info.name + " + 0x" + wqe.start.toString(16)),
                element("p", { class: "db-more" }, owned + " of " + wqe.length + " bytes stored"),
                wqeDump(bytes),
                ...segments.flatMap(({ place, part }) => this.segment(place, part, number(place))));
        }

        /** The fields of one stored segment of the WQE. */
        segment(place, part, number) {
            const title = element("p", { class: "db-layout db-segment db-segment-" + (number % 4) },
                letter(number) + ": " + (part.layout || "data") + ", stored by step " + this.data.steps[place].n);
            return part.fields.length ? [title, this.fields(part)] : [title];
        }

        /** The doorbell registers that were written; before there are any, the last register of all. */
        writtenRegisters() {
            const all = [...this.memory.registers.entries()].sort(([, a], [, b]) => b.place - a.place);
            const doorbells = all.filter(([, register]) => register.doorbell);
            return doorbells.length ? doorbells : all.slice(0, 1);
        }

        /** Shows doorbell records and registers. */
        showDoorbell() {
            const records = this.touchedRegions("doorbell_record").map((number) => this.record(number));
            const registers = this.writtenRegisters().map(([name, { hex, place }]) =>
                element("div", { class: "db-register", "data-register": name, "data-hex": hex },
                    element("p", { class: "db-layout" }, "register " + name + ", written by step " + this.data.steps[place].n),
                    element("pre", { class: "db-bytes" + (place === this.place ? " db-fresh" : "") }, dump(unhex(hex)))));
            this.doorbell.hidden = records.length + registers.length === 0;
            this.doorbell.replaceChildren(
                element("p", { class: "db-title" }, "Doorbell record and register"), ...records, ...registers);
        }

        /** A doorbell record: its bytes and who wrote them. */
        record(number) {
            const region = this.memory.region(number);
            const writers = [...new Set(region.writers)].filter((place) => place >= 0).sort((a, b) => a - b);
            const by = writers.length
                ? ", written by step " + writers.map((place) => this.data.steps[place].n).join(" and ")
                : ", not written yet";
            return element("div", { class: "db-record", "data-region": number,
                "data-hex": [...region.bytes].map(pair).join("") },
                element("p", { class: "db-layout" }, region.info.name + by),
                element("pre", { class: "db-bytes" + (writers.includes(this.place) ? " db-fresh" : "") },
                    dump([...region.bytes])),
                element("p", { class: "db-counters" },
                    (this.memory.records.get(number) || []).map((field) => field.join(" = ")).join(", ")));
        }

        /** Shows the rings with their counters. */
        showRings() {
            const roles = ["send_queue", "receive_queue", "completion_queue"];
            const rings = roles.flatMap((role) => this.touchedRegions(role)).map((number) => this.ring(number));
            this.rings.hidden = rings.length === 0;
            this.rings.replaceChildren(element("p", { class: "db-title" }, "Rings"), ...rings);
        }

        /** A ring: a cell a slot, those filled marked, the counters in words and at their slots. */
        ring(number) {
            const region = this.memory.region(number);
            const counters = [...this.memory.indexes.values()].filter((index) => index.number === number);
            const stride = region.info.stride || region.info.length;
            const slots = Math.max(1, Math.floor(region.info.length / stride));
            const shown = Math.min(slots, 16);
            const cells = [];
            for (let slot = 0; slot < shown; slot += 1) {
                cells.push(this.slot(region, slot, stride, counters.filter((index) => index.slot === slot)));
            }
            const words = counters.map((index) => element("span", {
                class: "db-counter" + (index.place === this.place ? " db-fresh" : ""),
                "data-counter": index.name, "data-value": index.value }, index.name + " = " + index.value));
            const more = slots > shown ? [element("li", { class: "db-rest" }, "… " + slots + " slots")] : [];
            return element("div", { class: "db-ring", "data-region": number },
                element("p", { class: "db-layout" }, region.info.name),
                element("ol", { class: "db-slots" }, ...cells, ...more),
                element("p", { class: "db-counters" }, ...words.flatMap((word) => [word, " "])));
        }

        /** One slot: filled or not. A completion queue's is filled when the card has written it. */
        slot(region, slot, stride, counters) {
            const writers = region.writers.slice(slot * stride, (slot + 1) * stride);
            const cardWrites = region.info.role === "completion_queue";
            const counts = (place) => place >= 0 && (!cardWrites || this.data.steps[place].byCard);
            const filled = writers.some(counts);
            const fresh = writers.includes(this.place);
            const here = counters.map((index) => index.name).join(", ");
            const words = "slot " + slot + (filled ? ", filled" : ", empty") + (fresh ? ", written by this step" : "")
                + (here ? ", where " + here + " stands" : "");
            return element("li", { class: (fresh ? "db-fresh " : "") + (here ? "db-here" : ""), title: words },
                element("span", { role: "img", "aria-label": words }, (filled ? "■" : "□") + (here ? "◂" : "")));
        }

        /** The regions of a role that the run has written or read so far, the first first. */
        touchedRegions(role) {
            const known = Object.entries(this.data.regions).filter(([, info]) => info.role === role);
            const numbers = known.map(([number]) => Number(number));
            const counted = [...this.memory.indexes.values()].map((index) => index.number);
            return numbers.filter((number) => this.memory.regions.has(number) || counted.includes(number));
        }
    }

    /** Scrolls a pane, not the page, so that an element stands in its middle. */
    function center(pane, inner) {
        const offset = inner.getBoundingClientRect().top - pane.getBoundingClientRect().top;
        pane.scrollTop += offset - pane.clientHeight / 2 + inner.clientHeight / 2;
    }

    /** Rows of 16 bytes with their offsets; of long dumps the rows that are not all zero. */
    function dump(bytes) {
        const rows = [];
        for (let at = 0; at < bytes.length; at += 16) {
            const row = bytes.slice(at, at + 16);
            if (bytes.length <= 256 || row.some((byte) => byte !== 0)) {
                rows.push(at.toString(16).padStart(4, "0") + "  " + row.map(pair).join(" "));
            }
        }
        if (bytes.length > 256) {
            rows.push(bytes.length + " bytes; rows of zeros are left out");
        }
        return rows.join("\n");
    }

    /** The letter that names a segment, so that colour is not all that tells them apart. */
    function letter(number) {
        return String.fromCharCode(65 + (number % 26));
    }

    /** A WQE's bytes, 16 a row, each row beside the letter of its segment. */
    function wqeDump(bytes) {
        const rows = [];
        for (let at = 0; at < bytes.length; at += 16) {
            const row = bytes.slice(at, at + 16);
            const segment = row[0].segment;
            rows.push(element("span", { class: "db-row" },
                (segment === undefined ? "  " : letter(segment) + " ") + at.toString(16).padStart(2, "0") + " ",
                ...row.flatMap((byte) => [" ", element("span", {
                    class: (byte.segment === undefined ? "db-unwritten" : "db-segment-" + (byte.segment % 4))
                        + (byte.fresh ? " db-fresh" : "") }, byte.text)]),
                "\n"));
        }
        return element("pre", { class: "db-bytes" }, ...rows);
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

// The player, part 3: the panels of bytes: what the step carries, and the WQE being built.
"use strict";

doorbellPlayer.BytePanels = (() => {
    const { element, unhex, pair, dump, letter, wqeDump } = doorbellPlayer;

    /** Shows bytes with their fields. `data` is the run, `memory` what lies in it at the step. */
    class BytePanels {
        constructor(data, memory) {
            this.data = data;
            this.memory = memory;
            this.event = element("div", { class: "db-panel db-event" });
            this.wqe = element("div", { class: "db-panel db-wqe" });
        }

        /** Shows the step at a place of the run. */
        show(place) {
            this.place = place;
            this.showEvent(this.data.steps[place]);
            this.showWqe(this.data.steps[place]);
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
    }

    return BytePanels;
})();

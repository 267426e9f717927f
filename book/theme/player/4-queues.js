// The player, part 4: the panels of queues: doorbell records and registers, and the rings.
"use strict";

doorbellPlayer.QueuePanels = (() => {
    const { element, unhex, pair, dump } = doorbellPlayer;

    /** Shows what is shared with the card. `data` is the run, `memory` what lies in it at the step. */
    class QueuePanels {
        constructor(data, memory) {
            this.data = data;
            this.memory = memory;
            this.doorbell = element("div", { class: "db-panel db-doorbell" });
            this.rings = element("div", { class: "db-panel db-rings" });
        }

        /** Shows the step at a place of the run. */
        show(place) {
            this.place = place;
            this.showDoorbell();
            this.showRings();
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

    return QueuePanels;
})();

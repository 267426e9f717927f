// The player, part 2: what lies in the memory of a run at one step.
//
// This is all that the script computes: it applies the writes of the steps, in order, to the
// regions. It knows no layout; the decoded fields, which region an address belongs to and which
// stores make up a WQE were worked out when the book was built.
"use strict";

doorbellPlayer.Memory = (() => {
    const { unhex } = doorbellPlayer;

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

    return Memory;
})();

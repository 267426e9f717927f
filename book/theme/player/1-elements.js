// The player, part 1: helpers that make elements and write bytes in hex.
//
// The parts are scripts of their own, loaded one after the other; each adds what it has to
// `doorbellPlayer`, the one name that all of them put on the page.
"use strict";

const doorbellPlayer = (() => {
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

    return { element, unhex, pair, center, dump, letter, wqeDump };
})();
